/** The settings of a deployment: who it is for, where, and how large. */

import { readFileSync } from 'node:fs';
import { sizes, type SizeName } from './sizes.ts';

export interface Config {
  /** The domain: the server is api.DOMAIN, photos are read from media.DOMAIN. */
  domain: string;
  /** The Route 53 zone of the domain. Empty: the app makes one. */
  hostedZoneId: string;
  region: string;
  size: SizeName;
  /** Who is told of alarms, of the budget and of certificates. */
  operatorEmail: string;
  /** The sender of mails; its domain has to be verified in SES. */
  mailFrom: string;
  /** The web clients that may call the API and upload: exact origins. */
  origins: string[];
  registration: 'open' | 'verified' | 'closed';
  /** A standby of the database in the other zone. */
  multiAz: boolean;
  /** The firewall in front of the balancer, with a limit on requests of one address. */
  waf: boolean;
  /** In USD; at 80 % of it, and when it is foreseen to be passed, the operator is told. */
  monthlyBudget: number;
  /** Names of the keys that sign photos' URLs. The first signs, the others still count. */
  mediaKeys: string[];
  /** What keys of the older backend's photos begin with, where they were copied into the bucket. */
  olderPhotos: string;
  /** Where the page with the runbook of each alarm is. */
  runbooks: string;
}

/** What a deployment that says nothing gets. It synthesises; example.com is nobody's to deploy to. */
export const exampleDomain = 'example.com';

const hostName = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;
const address = /^[^\s@<>",]+@[^\s@<>",]+\.[a-z]{2,63}$/;

/** Thrown when a setting is wrong; the text names each of them. */
export class ConfigError extends Error {
  constructor(problems: string[]) {
    super(`The settings of the deployment (config.json, or -c NAME=VALUE) are wrong:\n  ${problems.join('\n  ')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads the settings.
 * @param file what config.json holds, parsed; undefined when there is none
 * @param context the value given with -c NAME=VALUE, a text, or undefined
 */
export function parse(file: unknown, context: (name: string) => unknown = () => undefined): Config {
  const problems: string[] = [];
  if (file !== undefined && (typeof file !== 'object' || file === null || Array.isArray(file))) {
    throw new ConfigError(['config.json must be an object, such as {"domain": "example.com"}']);
  }
  const given = (file ?? {}) as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (!names.includes(name as keyof Config)) {
      problems.push(`${name}: there is no such setting; there are ${names.join(', ')}`);
    }
  }
  const value = (name: keyof Config): unknown => context(name) ?? given[name];

  const text = (name: keyof Config, fallback: string, valid: (s: string) => boolean, form: string): string => {
    const v = value(name) ?? fallback;
    if (typeof v !== 'string' || !valid(v)) {
      problems.push(`${name}: must be ${form}`);
      return fallback;
    }
    return v;
  };
  const list = (name: keyof Config, fallback: string[], valid: (s: string) => boolean, form: string): string[] => {
    const v = value(name) ?? fallback;
    const items = typeof v === 'string' ? v.split(',').map((s) => s.trim()).filter((s) => s !== '') : v;
    if (!Array.isArray(items) || !items.every((s) => typeof s === 'string' && valid(s)) || new Set(items).size < items.length) {
      problems.push(`${name}: must be a list of different ${form}`);
      return fallback;
    }
    return items;
  };
  const onOff = (name: keyof Config, fallback: boolean): boolean => {
    const v = value(name) ?? fallback;
    if (v === true || v === 'true') return true;
    if (v === false || v === 'false') return false;
    problems.push(`${name}: must be true or false`);
    return fallback;
  };

  const domain = text('domain', exampleDomain, (s) => hostName.test(s), 'a domain in lower case, such as example.com');
  const size = text('size', 'small', (s) => Object.hasOwn(sizes, s), `one of ${Object.keys(sizes).join(', ')}`) as SizeName;
  const budget = Number(value('monthlyBudget') ?? sizes[size].monthlyBudget);
  if (!Number.isFinite(budget) || budget <= 0) {
    problems.push('monthlyBudget: must be a number of USD above 0');
  }
  const config: Config = {
    domain,
    size,
    hostedZoneId: text('hostedZoneId', '', (s) => /^(Z[A-Z0-9]{5,32})?$/.test(s), 'the id of a Route 53 zone, such as Z0123456789ABCDEFGHIJ, or empty'),
    region: text('region', 'eu-central-1', (s) => /^[a-z]{2}(-[a-z]+)+-\d$/.test(s), 'an AWS region, such as eu-central-1'),
    operatorEmail: text('operatorEmail', `operator@${domain}`, (s) => address.test(s), 'a mail address'),
    mailFrom: text('mailFrom', `Rideshare Copilot <no-reply@${domain}>`, (s) => /^[^<>"]+<[^<>]+>$/.test(s) ? address.test(s.replace(/^.*<|>$/g, '')) : address.test(s), 'an address, such as Rideshare Copilot <no-reply@example.com>'),
    origins: list('origins', [`https://app.${domain}`], (s) => s.startsWith('https://') && hostName.test(s.slice(8).replace(/:\d{1,5}$/, '')), 'origins, such as https://app.example.com'),
    registration: text('registration', 'open', (s) => ['open', 'verified', 'closed'].includes(s), 'open, verified or closed') as Config['registration'],
    multiAz: onOff('multiAz', sizes[size].multiAz),
    waf: onOff('waf', true),
    monthlyBudget: budget,
    mediaKeys: list('mediaKeys', ['a'], (s) => /^[a-z][a-z0-9]{0,15}$/.test(s), 'short names in lower case, such as a'),
    olderPhotos: text('olderPhotos', '', (s) => /^([A-Za-z0-9_-][A-Za-z0-9_.-]*\/)*$/.test(s) && !s.startsWith('ridecopilot/'), 'a prefix that ends in a slash, such as uploads/, and not the new server\'s own'),
    runbooks: text('runbooks', 'https://github.com/ridecopilot/ridecopilot/blob/main/docs/operations.md', (s) => /^https:\/\/[^\s#]+$/.test(s), 'an https address without a #'),
  };
  if (config.mediaKeys.length === 0) {
    problems.push('mediaKeys: must name one key at least');
  }
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return config;
}

const names: (keyof Config)[] = [
  'domain', 'hostedZoneId', 'region', 'size', 'operatorEmail', 'mailFrom', 'origins', 'registration', 'multiAz', 'waf',
  'monthlyBudget', 'mediaKeys', 'olderPhotos', 'runbooks',
];

/** The settings of config.json beside this app, and of the command line. */
export function load(path: URL, context: (name: string) => unknown): Config {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return parse(undefined, context);
    throw e;
  }
  let file: unknown;
  try {
    file = JSON.parse(content);
  } catch (e) {
    throw new ConfigError([`config.json is not JSON: ${(e as Error).message}`]);
  }
  return parse(file, context);
}
