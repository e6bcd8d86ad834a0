import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, it } from 'node:test';
import { ConfigError, load, parse } from '../lib/config.ts';

describe('settings', () => {
  it('have defaults that follow the domain and the size', () => {
    const c = parse({ domain: 'taxi.ro', size: 'standard' });
    assert.equal(c.operatorEmail, 'operator@taxi.ro');
    assert.deepEqual(c.origins, ['https://app.taxi.ro']);
    assert.equal(c.mailFrom, 'Rideshare Copilot <no-reply@taxi.ro>');
    assert.equal(c.multiAz, true);
    assert.equal(parse(undefined).multiAz, false);
  });

  it('of the command line win over the file', () => {
    const line: Record<string, unknown> = { size: 'standard', multiAz: 'false', origins: 'https://a.example.com, https://b.example.com', monthlyBudget: '99' };
    const c = parse({ size: 'small', multiAz: true, domain: 'taxi.ro' }, (name) => line[name]);
    assert.deepEqual([c.size, c.multiAz, c.domain, c.monthlyBudget], ['standard', false, 'taxi.ro', 99]);
    assert.deepEqual(c.origins, ['https://a.example.com', 'https://b.example.com']);
  });

  it('may be empty where that means none', () => {
    assert.deepEqual(parse({ origins: [] }).origins, []);
    assert.equal(parse({ olderPhotos: '' }).olderPhotos, '');
  });

  const wrong: [string, Record<string, unknown>][] = [
    ['domain', { domain: 'Example.com' }], ['domain', { domain: 'https://example.com' }], ['domain', { domain: 7 }],
    ['size', { size: 'large' }], ['size', { size: 'toString' }],
    ['hostedZoneId', { hostedZoneId: 'example.com' }],
    ['region', { region: 'Frankfurt' }],
    ['operatorEmail', { operatorEmail: 'me' }],
    ['mailFrom', { mailFrom: 'no-reply' }],
    ['origins', { origins: ['http://app.example.com'] }], ['origins', { origins: ['https://app.example.com/'] }], ['origins', { origins: ['*'] }],
    ['origins', { origins: ['https://a.example.com', 'https://a.example.com'] }],
    ['registration', { registration: 'maybe' }],
    ['multiAz', { multiAz: 'yes' }], ['waf', { waf: 1 }],
    ['monthlyBudget', { monthlyBudget: 0 }], ['monthlyBudget', { monthlyBudget: 'much' }],
    ['mediaKeys', { mediaKeys: [] }], ['mediaKeys', { mediaKeys: ['2026'] }], ['mediaKeys', { mediaKeys: ['a', 'a'] }],
    ['olderPhotos', { olderPhotos: 'uploads' }], ['olderPhotos', { olderPhotos: 'ridecopilot/media/' }],
    ['runbooks', { runbooks: 'docs/operations.md' }],
    ['sise', { sise: 'small' }],
  ];
  for (const [name, settings] of wrong) {
    it(`names what is wrong: ${JSON.stringify(settings)}`, () => {
      assert.throws(() => parse(settings), (e: Error) => e instanceof ConfigError && e.message.includes(`\n  ${name}: `) && e.message.split('\n').length === 2);
    });
  }

  it('name all that is wrong at once', () => {
    assert.throws(() => parse({ size: 'big', waf: 'x' }), /size: [^\n]*\n.*waf: /);
  });

  it('come from config.json, which need not be there', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ridecopilot-config-'));
    try {
      const file = pathToFileURL(join(dir, 'config.json'));
      assert.equal(load(file, () => undefined).domain, 'example.com');
      writeFileSync(file, '{"domain": "taxi.ro"}');
      assert.equal(load(file, () => undefined).domain, 'taxi.ro');
      for (const text of ['{', '[]', 'null', '"x"']) {
        writeFileSync(file, text);
        assert.throws(() => load(file, () => undefined), /config\.json/);
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
