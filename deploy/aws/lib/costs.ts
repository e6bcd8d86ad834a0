/**
 * What a deployment costs in a month, by size: list prices and amounts, so that
 * the sums in README.md are computed and not typed.
 */

import { readFileSync } from 'node:fs';
import type { SizeName } from './sizes.ts';
import { sizes } from './sizes.ts';

/** When and where the prices were taken down. */
export const priced = { when: '2026-11', where: 'eu-central-1 (Frankfurt)' };

/** USD a unit. */
export const prices = {
  armProcessorHour: 0.03725,
  armMemoryGBHour: 0.00409,
  balancerHour: 0.027,
  balancerUnitHour: 0.008,
  addressHour: 0.005,
  endpointHour: 0.012,
  endpointGB: 0.01,
  databaseHour: { 't4g.micro': 0.019, 't4g.medium': 0.076 } as Record<string, number>,
  databaseGBMonth: 0.137,
  firewall: 5,
  firewallRule: 1,
  firewallMillion: 0.6,
  secret: 0.4,
  logGB: 0.63,
  metric: 0.3,
  alarm: 0.1,
  bucketGBMonth: 0.0245,
  bucketThousandPuts: 0.0054,
  bucketMillionReads: 0.43,
  edgeGB: 0.085,
  edgeMillionReads: 1.2,
  outGB: 0.09,
  imageGBMonth: 0.1,
  zone: 0.5,
  mailThousand: 0.1,
};

/** Of a month: 730 hours. */
const hours = 730;

/** The traffic that an estimate rests on, a month. */
export const assumed: Record<SizeName, { millionRequests: number; logGB: number; photosGB: number; photosRead: number; millionPhotoReads: number; outGB: number; mails: number; images: number; balancerUnits: number }> = {
  small: { millionRequests: 1, logGB: 1, photosGB: 20, photosRead: 100, millionPhotoReads: 1, outGB: 20, mails: 5, images: 1, balancerUnits: 0.2 },
  standard: { millionRequests: 20, logGB: 15, photosGB: 200, photosRead: 1500, millionPhotoReads: 15, outGB: 200, mails: 50, images: 1, balancerUnits: 1 },
};

/** What the first months of an account do not pay is left out; these are free to everybody for good. */
const free = { metrics: 10, alarms: 10, outGB: 100, edgeGB: 1024, edgeMillionReads: 10 };

export interface Line {
  what: string;
  how: string;
  usd: number;
}

/** The alarms of alarms.json. A math alarm counts once for each of its metrics. */
const alarmMetrics = (JSON.parse(readFileSync(new URL('../alarms.json', import.meta.url), 'utf8')) as unknown[]).length + 2;

/** Metrics that the server writes, about. */
const ownMetrics = 20;

/** The lines of the bill. */
export function bill(name: SizeName): Line[] {
  const size = sizes[name];
  const a = assumed[name];
  const p = prices;
  const database = p.databaseHour[size.database];
  if (database === undefined) throw new Error(`there is no price of db.${size.database}`);
  const standby = size.multiAz ? 2 : 1;
  const addresses = 2 + (size.publicTasks ? size.minTasks : 0);
  const above = (n: number, allowance: number) => Math.max(0, n - allowance);
  const lines: Line[] = [
    {
      what: 'Fargate (ARM)',
      how: `${size.minTasks} × (${size.cpu / 1024} vCPU × ${p.armProcessorHour} + ${size.memory / 1024} GB × ${p.armMemoryGBHour}) × ${hours} h`,
      usd: size.minTasks * (size.cpu / 1024 * p.armProcessorHour + size.memory / 1024 * p.armMemoryGBHour) * hours,
    },
    {
      what: 'RDS PostgreSQL',
      how: `db.${size.database} ${database}${standby > 1 ? ' × 2 (standby)' : ''} × ${hours} h + ${size.storage} GB × ${p.databaseGBMonth}${standby > 1 ? ' × 2' : ''}`,
      usd: standby * (database * hours + size.storage * p.databaseGBMonth),
    },
    {
      what: 'Load balancer',
      how: `(${p.balancerHour} + ${a.balancerUnits} LCU × ${p.balancerUnitHour}) × ${hours} h`,
      usd: (p.balancerHour + a.balancerUnits * p.balancerUnitHour) * hours,
    },
    { what: 'Public IPv4 addresses', how: `${addresses} × ${p.addressHour} × ${hours} h`, usd: addresses * p.addressHour * hours },
  ];
  if (!size.publicTasks) {
    lines.push({
      what: 'Interface endpoints', how: `5 in 2 zones × ${p.endpointHour} × ${hours} h + ${a.logGB + 2} GB × ${p.endpointGB}`,
      usd: 10 * p.endpointHour * hours + (a.logGB + 2) * p.endpointGB,
    });
  }
  lines.push(
    {
      what: 'WAF', how: `${p.firewall} + 1 rule × ${p.firewallRule} + ${a.millionRequests} M requests × ${p.firewallMillion}`,
      usd: p.firewall + p.firewallRule + a.millionRequests * p.firewallMillion,
    },
    { what: 'Secrets Manager', how: `4 (signing, SMTP, photos' key, owner of the database) × ${p.secret}`, usd: 4 * p.secret },
    {
      what: 'CloudWatch',
      how: `${a.logGB} GB of logs × ${p.logGB} + ${above(ownMetrics, free.metrics)} metrics × ${p.metric} + ${above(alarmMetrics, free.alarms)} alarm metrics × ${p.alarm}`,
      usd: a.logGB * p.logGB + above(ownMetrics, free.metrics) * p.metric + above(alarmMetrics, free.alarms) * p.alarm,
    },
    {
      what: 'S3', how: `${a.photosGB} GB × ${p.bucketGBMonth} + ${a.photosGB * 2} thousand writes × ${p.bucketThousandPuts} + ${a.millionPhotoReads} M reads × ${p.bucketMillionReads}`,
      usd: a.photosGB * p.bucketGBMonth + a.photosGB * 2 * p.bucketThousandPuts + a.millionPhotoReads * p.bucketMillionReads,
    },
    {
      what: 'CloudFront',
      how: `${above(a.photosRead, free.edgeGB)} GB above 1 TB × ${p.edgeGB} + ${above(a.millionPhotoReads, free.edgeMillionReads)} M reads above 10 × ${p.edgeMillionReads}`,
      usd: above(a.photosRead, free.edgeGB) * p.edgeGB + above(a.millionPhotoReads, free.edgeMillionReads) * p.edgeMillionReads,
    },
    { what: 'Traffic out', how: `${above(a.outGB, free.outGB)} GB above 100 × ${p.outGB}`, usd: above(a.outGB, free.outGB) * p.outGB },
    {
      what: 'Route 53, ECR, SES', how: `${p.zone} + ${a.images} GB × ${p.imageGBMonth} + ${a.mails} thousand mails × ${p.mailThousand}`,
      usd: p.zone + a.images * p.imageGBMonth + a.mails * p.mailThousand,
    },
  );
  return lines;
}

/** The sum, in USD. */
export function total(name: SizeName): number {
  return bill(name).reduce((sum, l) => sum + l.usd, 0);
}

/** The table as it stands in README.md. */
export function table(name: SizeName): string {
  const rows = bill(name).map((l) => `| ${l.what} | ${l.how} | ${l.usd.toFixed(2)} |`);
  return ['| part | how | USD |', '| --- | --- | ---: |', ...rows, `| **${name}** | | **${total(name).toFixed(2)}** |`].join('\n');
}
