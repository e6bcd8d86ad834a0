/** What cdk-nag finds is explained, and nothing is explained that it does not find. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Config } from '../lib/config.ts';
import { construct, inFolder } from './synth.ts';

/** Construct paths by rule, as if nothing had been explained. */
function findings(app: ReturnType<typeof construct>['app']): { rule: string; path: string }[] {
  const checks = new AwsSolutionsChecks();
  Object.assign(checks, { isAcknowledged: () => false });
  return checks.validateScope(app).violations.flatMap((v) => v.violatingResources.map((r) => ({ rule: v.ruleName, path: r.constructPath ?? '' })));
}

function explained(app: ReturnType<typeof construct>['app']): { rule: string; path: string; reason: string }[] {
  return app.node.findAll().flatMap((c) => c.node.metadata
    .filter((m) => m.type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    .flatMap((m) => Object.entries<string>(m.data).map(([id, reason]) => ({ rule: id.replace(/^annotation::/i, ''), path: c.node.path, reason })))
    .filter((w) => w.rule.startsWith('AwsSolutions-'))); // CDK explains rules of its own
}

const below = (path: string, parent: string) => path === parent || path.startsWith(`${parent}/`);

const used = new Set<string>();
const all = new Map<string, string>();

const deployments: Partial<Config>[] = [{ size: 'small' }, { size: 'standard' }, { olderPhotos: 'uploads/', mediaKeys: ['b', 'a'] }];
for (const settings of deployments) {
  it(`every finding is explained: ${JSON.stringify(settings)}`, () => {
    const app = inFolder((folder) => {
      const made = construct(settings, folder).app;
      made.synth(); // names references between stacks, and asks CDK's own rules
      return made;
    });
    const words = explained(app);
    for (const w of words) all.set(`${w.path} ${w.rule}`, w.reason);
    const found = findings(app);
    assert.ok(found.length > 10, 'the checks ran');
    for (const f of found) {
      const fits = words.filter((w) => w.rule === f.rule && below(f.path, w.path));
      assert.ok(fits.length > 0, `${f.rule} at ${f.path} is not explained`);
      for (const w of fits) used.add(`${w.path} ${w.rule}`);
    }
  });
}

it('nothing is explained that is not found any more, and each in words', () => {
  for (const [key, reason] of all) {
    assert.ok(used.has(key), `${key} is explained, but nothing is found there`);
    assert.ok(reason.length > 30 && / /.test(reason), `${key}: ${reason}`);
  }
});
