/** Alarms tell somebody, say what to do, and are described. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import list from '../alarms.json' with { type: 'json' };
import { synth } from './synth.ts';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const t = synth({ runbooks: 'https://wiki.example.com/operations.md' });
const alarms = t.of('AWS::CloudWatch::Alarm');
const name = (a: (typeof alarms)[number]) => a.properties.AlarmName.replace(/^ridecopilot-/, '');

describe('alarms', () => {
  it('are those of alarms.json', () => {
    assert.deepEqual(alarms.map(name).sort(), list.map((a) => a.name).sort());
  });

  it('cover what the issue asks for', () => {
    const watched = new Set(alarms.flatMap((a) => [a.properties.MetricName, ...(a.properties.Metrics ?? []).map((m: any) => m.MetricStat?.Metric.MetricName)]));
    for (const metric of [
      'HTTPCode_Target_5XX_Count', 'HTTPCode_ELB_5XX_Count', 'TargetResponseTime', 'removals_oldest_seconds', 'jobs_oldest_seconds', 'FreeStorageSpace',
      'DatabaseConnections', 'UnHealthyHostCount', 'DaysToExpiry',
    ]) assert.ok(watched.has(metric), metric);
    const p99 = alarms.find((a) => name(a) === 'latency-p99')!;
    assert.equal(p99.properties.ExtendedStatistic, 'p99');
  });

  for (const a of alarms) {
    it(`${name(a)} tells the operator, and where to read on`, () => {
      const topics = t.of('AWS::SNS::Topic').filter((s) => s.stack === a.stack).map((s) => ({ Ref: s.id }));
      assert.equal(topics.length, 1);
      assert.deepEqual(a.properties.AlarmActions, topics);
      assert.deepEqual(a.properties.OKActions, topics);
      assert.ok(a.properties.AlarmDescription.endsWith(` https://wiki.example.com/operations.md#alarm-${name(a)}`));
      assert.match(a.properties.TreatMissingData, /^(notBreaching|breaching)$/);
    });
  }

  it('about silence are raised by silence', () => {
    const silent = alarms.filter((a) => a.properties.TreatMissingData === 'breaching').map(name).sort();
    assert.deepEqual(silent, ['metrics-missing', 'no-healthy-hosts']);
  });

  it('of a certificate are where it is', () => {
    for (const [of, stack] of [['certificate-media', 'EdgeCertificate'], ['certificate-api', 'Service']]) {
      const a = alarms.find((x) => name(x) === of)!;
      assert.equal(a.stack, stack);
      assert.deepEqual(a.properties.Dimensions, [{ Name: 'CertificateArn', Value: { Ref: t.one('AWS::CertificateManager::Certificate', (c) => c.stack === stack).id } }]);
    }
  });

  it('are described in README.md as they are', () => {
    const readme = read('../README.md');
    for (const a of list) assert.ok(readme.includes(`| \`${a.name}\` | ${a.threshold} | ${a.means} |`), `README.md has not the row of ${a.name}`);
  });
});
