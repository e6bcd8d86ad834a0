/** `release` and `run`, with an AWS command line and a cdk that write down what they are told. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'node:test';

const folder = fileURLToPath(new URL('..', import.meta.url));

const aws = `#!/usr/bin/env bash
printf 'aws %s\\n' "$*" >>"$CALLS"
case "$1 $2" in
"ecr describe-images") [ -z "\${NO_IMAGE:-}" ] ;;
"cloudformation describe-stacks")
	stack=$(sed 's/.*Ridecopilot-\\([A-Za-z]*\\).*/\\1/' <<<"$*")
	name=$(sed "s/.*OutputKey=='\\([A-Za-z]*\\)'.*/\\1/" <<<"$*")
	echo "$stack-$name" ;;
"ecs run-task")
	printf 'overrides %s\\n' "$(cat)" >>"$CALLS"
	echo arn:aws:ecs:r:1:task/c/abc ;;
"ecs describe-tasks")
	case "$*" in
	*lastStatus*)
		# Not the first time.
		[ "$(grep -c lastStatus "$CALLS")" -gt 1 ] && echo STOPPED || echo RUNNING ;;
	*exitCode*) echo "\${EXIT_CODE:-0}" ;;
	*) echo "Essential container in task exited" ;;
	esac ;;
"logs get-log-events") echo "applied 0001" ;;
*) echo "what is $*?" >&2; exit 9 ;;
esac
`;

const npx = `#!/usr/bin/env bash
printf 'npx %s\\n' "$*" >>"$CALLS"
[ -z "\${REFUSE:-}" ] || [[ "$*" != *"$REFUSE"* ]]
`;

function run(script: string, args: string[], env: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'ridecopilot-scripts-'));
  try {
    for (const [name, text] of Object.entries({ aws, npx })) {
      writeFileSync(join(dir, name), text);
      chmodSync(join(dir, name), 0o755);
    }
    const calls = join(dir, 'calls');
    writeFileSync(calls, '');
    const done = spawnSync('bash', [join(folder, script), ...args], {
      encoding: 'utf8',
      env: { PATH: `${dir}:${process.env.PATH}`, CALLS: calls, POLL_SECONDS: '0', ...env },
    });
    return { status: done.status, out: done.stdout, err: done.stderr, calls: readFileSync(calls, 'utf8').split('\n').filter((l) => l !== '') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const cdk = (calls: string[]) => calls.filter((c) => c.startsWith('npx '));
const deploy = (stack: string, tag: string) => `npx cdk deploy Ridecopilot-${stack} --exclusively --parameters Ridecopilot-${stack}:ImageTag=${tag}`;

describe('release', () => {
  it('migrates with the new image, and then replaces the servers', () => {
    const r = run('release', ['v1.2.0']);
    assert.equal(r.status, 0, r.err);
    const order = r.calls.filter((c) => /^npx |ecr |run-task|exitCode/.test(c)).map((c) => c.replace(/ --(cluster|repository-name) .*/, ''));
    assert.deepEqual(order, ['aws ecr describe-images', deploy('Migrate', 'v1.2.0'), 'aws ecs run-task', 'aws ecs describe-tasks', deploy('Service', 'v1.2.0')]);
    const task = r.calls.find((c) => c.includes('run-task'))!;
    assert.match(task, /--cluster Migrate-Cluster .*--task-definition Migrate-Task --network-configuration Migrate-Network --overrides file:\/\/\/dev\/stdin /);
    assert.ok(r.calls.includes('overrides {}'));
    assert.match(r.calls.find((c) => c.includes('get-log-events'))!, /--log-group-name Migrate-LogGroup --log-stream-name migrate\/ridecopilot\/abc /);
    assert.match(r.out, /applied 0001/);
    assert.match(r.err, /done: Service-Address/);
  });

  it('leaves the servers as they are when the migration fails, and shows its log', () => {
    for (const code of ['1', '137', 'None']) {
      const r = run('release', ['v1.2.0'], { EXIT_CODE: code });
      assert.equal(r.status, 1);
      assert.deepEqual(cdk(r.calls), [deploy('Migrate', 'v1.2.0')]);
      assert.match(r.out, /applied 0001/);
      assert.match(r.err, new RegExp(`ended with ${code}: Essential container`));
    }
  });

  it('does not migrate when the new task could not be deployed', () => {
    const r = run('release', ['v1.2.0'], { REFUSE: 'Ridecopilot-Migrate' });
    assert.notEqual(r.status, 0);
    assert.ok(!r.calls.some((c) => c.includes('run-task')));
    assert.deepEqual(cdk(r.calls), [deploy('Migrate', 'v1.2.0')]);
  });

  it('goes back without a migration', () => {
    const r = run('release', ['--back', 'v1.1.0', '--require-approval', 'never']);
    assert.equal(r.status, 0, r.err);
    assert.deepEqual(cdk(r.calls), [`${deploy('Service', 'v1.1.0')} --require-approval never`]);
    assert.ok(!r.calls.some((c) => c.includes('run-task')));
  });

  it('touches nothing without an image, or without a tag', () => {
    const missing = run('release', ['v9'], { NO_IMAGE: '1' });
    assert.equal(missing.status, 1);
    assert.match(missing.err, /no image ridecopilot:v9 in ECR \(eu-central-1\)/);
    assert.deepEqual(cdk(missing.calls), []);
    for (const args of [[], ['--back'], ['a b'], ['--help']]) {
      const r = run('release', args);
      assert.equal(r.status, 1);
      assert.match(r.err, /^usage: release/);
      assert.deepEqual(r.calls, []);
    }
  });
});

describe('run', () => {
  it('runs a command as the servers would', () => {
    const r = run('run', ['createsuperuser', '--email', 'me@example.com', '--name', 'Ana "A" Pop'], { SUPERUSER_PASSWORD: 'p w' });
    assert.equal(r.status, 0, r.err);
    const task = r.calls.find((c) => c.includes('run-task'))!;
    assert.match(task, /--cluster Service-Cluster .*--task-definition Service-Task --network-configuration Service-Network/);
    assert.deepEqual(JSON.parse(r.calls.find((c) => c.startsWith('overrides '))!.slice('overrides '.length)), {
      containerOverrides: [{
        name: 'ridecopilot', command: ['createsuperuser', '--email', 'me@example.com', '--name', 'Ana "A" Pop'], environment: [{ name: 'SUPERUSER_PASSWORD', value: 'p w' }],
      }],
    });
    assert.match(r.calls.find((c) => c.includes('get-log-events'))!, /--log-stream-name serve\/ridecopilot\/abc /);
    assert.doesNotMatch(r.out + r.err + task, /p w/);
  });

  it('ends as the command did', () => {
    assert.equal(run('run', ['storage', 'check', '--dry-run'], { EXIT_CODE: '1' }).status, 1);
    assert.equal(run('run', []).status, 1);
  });
});
