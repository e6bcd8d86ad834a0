/** The functions, on a Secrets Manager and an ECS of their own. */

import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { answer } from '../functions/keys/answer.mjs';
import { make } from '../functions/keys/keys.mjs';
import { rotate } from '../functions/rotate/rotate.mjs';

/** Keeps versions of one secret as Secrets Manager does. */
class Secret {
  values = new Map<string, string>();
  stages: Record<string, string[]> = {};
  refuse = new Set<string>();

  constructor(current: string) {
    this.put('v0', current, ['AWSCURRENT']);
  }

  put(id: string, value: string, stages: string[]): void {
    for (const list of Object.values(this.stages)) for (const s of stages) if (list.includes(s)) list.splice(list.indexOf(s), 1);
    this.values.set(id, value);
    this.stages[id] = [...(this.stages[id] ?? []), ...stages];
  }

  at(stage: string): string | undefined {
    const id = Object.keys(this.stages).find((v) => this.stages[v].includes(stage));
    return id === undefined ? undefined : this.values.get(id);
  }

  private call(name: string): void {
    if (this.refuse.delete(name)) throw new Error(`${name} is away`);
  }

  async describeSecret() {
    this.call('describeSecret');
    return { VersionIdsToStages: structuredClone(this.stages) };
  }

  async getSecretValue({ VersionId, VersionStage = 'AWSCURRENT' }: { VersionId?: string; VersionStage?: string }) {
    this.call('getSecretValue');
    const text = VersionId === undefined ? this.at(VersionStage) : this.stages[VersionId]?.includes(VersionStage) ? this.values.get(VersionId) : undefined;
    if (text === undefined) throw Object.assign(new Error('no such version'), { name: 'ResourceNotFoundException' });
    return { SecretString: text };
  }

  async putSecretValue({ ClientRequestToken = 'v1', SecretString, VersionStages = ['AWSCURRENT'] }: { ClientRequestToken?: string; SecretString: string; VersionStages?: string[] }) {
    this.call('putSecretValue');
    if (this.values.has(ClientRequestToken)) throw Object.assign(new Error('a version is never changed'), { name: 'ResourceExistsException' });
    this.put(ClientRequestToken, SecretString, VersionStages);
  }

  async updateSecretVersionStage({ VersionStage, MoveToVersionId, RemoveFromVersionId }: { VersionStage: string; MoveToVersionId: string; RemoveFromVersionId: string }) {
    this.call('updateSecretVersionStage');
    assert.ok(this.stages[RemoveFromVersionId].includes(VersionStage));
    this.put(MoveToVersionId, this.values.get(MoveToVersionId)!, [VersionStage]);
  }
}

const day = 24 * 60 * 60 * 1000;

/** A service whose servers have the secrets that were current when they started. */
class World {
  secrets = new Secret(JSON.stringify({ SECRET_KEY: 'A'.repeat(64), SECRET_KEY_PREVIOUS: 'Z'.repeat(64), next: 'introduce', changed: '1970-01-01T00:00:00.000Z' }));
  time = new Date('2026-11-01T00:00:00Z');
  cluster = 'c';
  service = 's';
  rolled: string[] = [];
  deployments = [{ createdAt: new Date('2026-10-01T00:00:00Z'), rolloutState: 'COMPLETED' }];
  refuseEcs = 0;
  now = () => this.time;

  ecs = {
    describeServices: async (input: any) => {
      assert.deepEqual(input, { cluster: 'c', services: ['s'] });
      return { services: [{ deployments: this.deployments }] };
    },
    updateService: async (input: any) => {
      if (this.refuseEcs-- > 0) throw new Error('ECS is away');
      assert.deepEqual(input, { cluster: 'c', service: 's', forceNewDeployment: true });
      this.rolled.push(this.secrets.at('AWSCURRENT')!);
      this.deployments = [{ createdAt: new Date(this.time.getTime() + 1000), rolloutState: 'COMPLETED' }];
    },
  };

  step(Step: string, token: string): Promise<void> {
    return rotate(this, { Step, SecretId: 'arn', ClientRequestToken: token });
  }

  /** A whole rotation, as Secrets Manager runs it. */
  async rotate(token: string): Promise<void> {
    this.time = new Date(this.time.getTime() + 30 * day);
    for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret']) await this.step(step, token);
  }

  get current(): { SECRET_KEY: string; SECRET_KEY_PREVIOUS: string; next: string; changed: string } {
    return JSON.parse(this.secrets.at('AWSCURRENT')!);
  }
}

describe('rotation', () => {
  it('signs nobody out: at every moment each server verifies what any other signs', async () => {
    const w = new World();
    const states = [w.current];
    for (let i = 1; i <= 6; i++) {
      await w.rotate(`t${i}`);
      states.push(w.current);
    }
    assert.equal(w.rolled.length, 6);
    for (let i = 1; i < states.length; i++) {
      const [older, newer] = [states[i - 1], states[i]];
      // Both serve while the servers are replaced.
      for (const [signer, verifier] of [[older, newer], [newer, older]]) {
        assert.ok([verifier.SECRET_KEY, verifier.SECRET_KEY_PREVIOUS].includes(signer.SECRET_KEY), `after step ${i}`);
      }
      assert.notEqual(newer.SECRET_KEY, newer.SECRET_KEY_PREVIOUS);
    }
    assert.deepEqual(states.map((s) => s.next), ['introduce', 'swap', 'introduce', 'swap', 'introduce', 'swap', 'introduce']);
    // Three fresh secrets have signed, and each is long and of its own.
    assert.equal(new Set(states.map((s) => s.SECRET_KEY)).size, 4);
    for (const s of states.slice(2)) assert.equal(Buffer.from(s.SECRET_KEY, 'base64').length, 48);
  });

  it('goes on where it was cut off', async () => {
    for (const [step, call] of [['createSecret', 'putSecretValue'], ['finishSecret', 'updateSecretVersionStage'], ['finishSecret', 'describeSecret']]) {
      const w = new World();
      w.time = new Date(w.time.getTime() + day);
      if (step === 'finishSecret') await w.step('createSecret', 't');
      w.secrets.refuse.add(call);
      await assert.rejects(w.step(step, 't'), /is away/);
      await w.step('createSecret', 't');
      await w.step('createSecret', 't');
      const made = w.secrets.at('AWSPENDING');
      await w.step('finishSecret', 't');
      assert.equal(w.secrets.at('AWSCURRENT'), made);
      assert.deepEqual(w.rolled, [made]);
    }
  });

  it('replaces the servers also when the first try ended after the secret had changed', async () => {
    const w = new World();
    await w.step('createSecret', 't');
    w.refuseEcs = 1;
    await assert.rejects(w.step('finishSecret', 't'), /ECS is away/);
    const changed = w.current;
    for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret']) await w.step(step, 't');
    assert.deepEqual(w.current, changed, 'no second step was taken');
    assert.equal(w.rolled.length, 1);
  });

  it('waits until the step before has reached all servers', async () => {
    const w = new World();
    await w.rotate('t1');
    w.time = new Date(w.time.getTime() + day);
    await assert.rejects(w.step('createSecret', 't2'), /less than 48 hours/);
    w.time = new Date(w.time.getTime() + 30 * day);
    for (const deployments of [
      [],
      [{ createdAt: new Date(0), rolloutState: 'COMPLETED' }],
      [{ createdAt: w.time, rolloutState: 'IN_PROGRESS' }],
      [{ createdAt: w.time, rolloutState: 'COMPLETED' }, { createdAt: w.time, rolloutState: 'COMPLETED' }],
    ]) {
      w.deployments = deployments;
      await assert.rejects(w.step('createSecret', 't2'), /have not all been replaced/);
      assert.equal(w.secrets.stages.t2, undefined);
    }
    w.deployments = [{ createdAt: w.time, rolloutState: 'COMPLETED' }];
    await w.step('createSecret', 't2');
  });

  it('lets the test pass that Secrets Manager makes of a new schedule', async () => {
    const w = new World();
    await w.step('testSecret', 'probe'); // without a version
    w.secrets.put('probe', w.secrets.at('AWSCURRENT')!, ['AWSPENDING']); // or with a copy
    await w.step('testSecret', 'probe');
    assert.equal(w.rolled.length, 0);
  });

  it('refuses what servers would not start with, and does not show it', async () => {
    for (const bad of [{ SECRET_KEY: 'short', SECRET_KEY_PREVIOUS: 'B'.repeat(40) }, { SECRET_KEY: 'B'.repeat(40), SECRET_KEY_PREVIOUS: 'B'.repeat(40) }, { SECRET_KEY: 'B'.repeat(40) }]) {
      const w = new World();
      w.secrets.put('t', JSON.stringify(bad), ['AWSPENDING']);
      await assert.rejects(w.step('testSecret', 't'), (e: Error) => !/BBBB|short"/.test(e.message));
    }
    for (const bad of ['hunter2', JSON.stringify({ SECRET_KEY: 'x', next: 'hop', changed: '1970-01-01T00:00:00Z' }), JSON.stringify({ next: 'swap', changed: 'once' })]) {
      const w = new World();
      w.secrets = new Secret(bad);
      await assert.rejects(w.step('createSecret', 't'), (e: Error) => !e.message.includes('hunter2'));
      assert.equal(w.secrets.at('AWSPENDING'), undefined);
    }
    await assert.rejects(new World().step('dance', 't'), /no step dance/);
  });
});

describe('keys', () => {
  const never = () => { throw new Error('there is nothing to wait for'); };

  it('waits until its right to a new secret is known everywhere, and no longer than that', async () => {
    for (const [denied, made] of [[3, true], [100, false]] as const) {
      const s = new Secret('what the template generated');
      const read = s.getSecretValue.bind(s);
      let calls = 0;
      let waits = 0;
      s.getSecretValue = async (input) => {
        if (++calls <= denied) throw Object.assign(new Error('not yet'), { name: 'AccessDeniedException' });
        return read(input);
      };
      const run = make(s, { kind: 'signing', secret: 'arn' }, async () => { waits++; });
      if (made) await run;
      else await assert.rejects(run, /not yet/);
      assert.equal(waits, made ? 3 : 9);
    }
  });

  it('makes a pair for CloudFront once', async () => {
    const s = new Secret('what the template generated');
    const first = await make(s, { kind: 'media-key', secret: 'arn' }, never);
    const key = createPublicKey(first.PublicKey);
    assert.equal(key.asymmetricKeyType, 'rsa');
    assert.equal(key.asymmetricKeyDetails?.modulusLength, 2048);
    assert.match(s.at('AWSCURRENT')!, /^-----BEGIN PRIVATE KEY-----/);
    assert.deepEqual(Object.keys(first), ['PublicKey'], 'the private half goes nowhere else');
    assert.deepEqual(await make(s, { kind: 'media-key', secret: 'arn' }, never), first);
  });

  it('takes a pair of the operator as it is', async () => {
    const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const s = new Secret(own.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString());
    const { PublicKey } = await make(s, { kind: 'media-key', secret: 'arn' }, never);
    assert.equal(PublicKey, own.publicKey.export({ type: 'spki', format: 'pem' }));
  });

  it('makes the first signing secrets once, so that the rotation takes them', async () => {
    const s = new Secret('what the template generated');
    assert.deepEqual(await make(s, { kind: 'signing', secret: 'arn' }, never), {});
    const made = s.at('AWSCURRENT')!;
    await make(s, { kind: 'signing', secret: 'arn' }, never);
    assert.equal(s.at('AWSCURRENT'), made);
    const w = new World();
    w.secrets = new Secret(made);
    await w.rotate('t1');
    await w.rotate('t2');
    assert.equal(w.current.SECRET_KEY_PREVIOUS, JSON.parse(made).SECRET_KEY);
  });

  it('knows no other kinds', async () => {
    await assert.rejects(make(new Secret(''), { kind: 'toString', secret: 'arn' }, never), /no kind/);
  });
});

describe('answer to CloudFormation', () => {
  const event = (url: string, RequestType: string) => ({
    RequestType, ResponseURL: url, StackId: 'stack', RequestId: 'r', LogicalResourceId: 'l', ResourceProperties: { kind: 'signing', secret: 'arn' },
  });

  /** What an address for answers got, which says `statuses` in turn. */
  async function answers(statuses: number[], run: (url: string) => Promise<void>): Promise<{ headers: IncomingMessage['headers']; method?: string; body: any }[]> {
    const got: { headers: IncomingMessage['headers']; method?: string; body: any }[] = [];
    const server = createServer((req, res) => {
      let text = '';
      req.on('data', (d) => { text += d; });
      req.on('end', () => {
        got.push({ headers: req.headers, method: req.method, body: JSON.parse(text) });
        res.writeHead(statuses[got.length - 1] ?? 200).end();
      });
    });
    await new Promise<void>((ready) => { server.listen(0, '127.0.0.1', ready); });
    try {
      await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    return got;
  }

  it('says what came of it, without a Content-Type, which the address is not signed for', async () => {
    const [a] = await answers([], (url) => answer(event(url, 'Create'), async (p) => ({ PublicKey: `of ${p.secret}` })));
    assert.equal(a.method, 'PUT');
    assert.equal(a.headers['content-type'], undefined);
    assert.deepEqual(a.body, { Status: 'SUCCESS', Reason: '', PhysicalResourceId: 'arn', StackId: 'stack', RequestId: 'r', LogicalResourceId: 'l', Data: { PublicKey: 'of arn' } });
  });

  it('says also that it failed', async (t) => {
    t.mock.method(console, 'error', () => {});
    const [a] = await answers([], (url) => answer(event(url, 'Create'), async () => { throw new Error('no right'); }));
    assert.deepEqual([a.body.Status, a.body.Reason, a.body.PhysicalResourceId], ['FAILED', 'no right', 'arn']);
  });

  it('leaves a secret alone that goes', async () => {
    const [a] = await answers([], (url) => answer({ ...event(url, 'Delete'), PhysicalResourceId: 'old' }, () => { throw new Error('not to be called'); }));
    assert.deepEqual([a.body.Status, a.body.PhysicalResourceId], ['SUCCESS', 'old']);
  });

  it('tries thrice', async () => {
    assert.equal((await answers([500, 503, 200], (url) => answer(event(url, 'Create'), async () => ({})))).length, 3);
    assert.equal((await answers([500, 500, 500], (url) => assert.rejects(answer(event(url, 'Create'), async () => ({})), /said 500/))).length, 3);
  });
});
