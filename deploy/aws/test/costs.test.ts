import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { bill, priced, table, total } from '../lib/costs.ts';
import { sizes, type SizeName } from '../lib/sizes.ts';
import { synth } from './synth.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The numbers of a line's arithmetic, worked out as it is written. */
function worked(how: string): number {
  const sum = how.replace(/×/g, '*').replace(/\b(db\.\S+)/g, '').replace(/\([^()*]*owner[^()]*\)/g, '')
    .replace(/ above [\d]+( TB)?/g, '').replace(/ in 2 zones/g, ' * 2').replace(/\(standby\)/g, '').replace(/[A-Za-z]+/g, '');
  return Number(new Function(`return ${sum}`)());
}

for (const name of Object.keys(sizes) as SizeName[]) {
  it(`the costs of ${name} in README.md are computed, and each line adds up as written`, () => {
    assert.ok(readme.includes(table(name)), `README.md needs:\n${table(name)}`);
    for (const l of bill(name)) {
      // Storage of a standby is written after the sum that it doubles.
      assert.ok(Math.abs(worked(l.how) - l.usd) < 0.005, `${l.what}: ${l.how} is ${worked(l.how)}, not ${l.usd}`);
    }
    assert.ok(Math.abs(bill(name).reduce((s, l) => s + Math.round(l.usd * 100), 0) / 100 - total(name)) < 0.05);
  });

  it(`the bill of ${name} is of what is deployed`, () => {
    const t = synth({ size: name });
    const interfaces = t.of('AWS::EC2::VPCEndpoint').filter((e) => e.properties.VpcEndpointType === 'Interface');
    const line = (what: string) => bill(name).find((l) => l.what === what)?.how;
    assert.equal(line('Interface endpoints')?.startsWith(`${interfaces.length} in 2 zones`), interfaces.length > 0 ? true : undefined);
    // And the owner's, which RDS makes.
    assert.ok(line('Secrets Manager')!.startsWith(`${t.of('AWS::SecretsManager::Secret').length + 1} (`));
    assert.ok(total(name) < sizes[name].monthlyBudget, 'the budget would be passed every month');
    assert.equal(t.of('AWS::CloudWatch::Dashboard').length, 1, 'three cost nothing');
  });
}

it('says when the prices were taken down', () => {
  assert.ok(readme.includes(priced.when) && readme.includes(priced.where));
});
