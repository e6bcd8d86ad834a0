// Rotates the secrets that sign sessions, so that nobody is signed out.
//
// While servers are replaced, old and new ones serve side by side, and an old one
// must be able to verify what a new one has signed. So a new secret comes in two
// steps, each a rotation of its own:
//
//   introduce  SECRET_KEY stays; a fresh secret becomes SECRET_KEY_PREVIOUS,
//              which verifies and does not sign
//   swap       the two change places: the fresh one signs, the old one verifies
//
// The field `next` says which is due. After each the servers are replaced. What
// an introduced secret pushes out has not signed anything since the last swap.

import { randomBytes } from 'node:crypto';

/**
 * @typedef {{ SECRET_KEY: string, SECRET_KEY_PREVIOUS: string, next: string, changed: string }} Signing
 * @typedef {{ Step: string, SecretId: string, ClientRequestToken: string }} Event
 * @typedef {{
 *   describeSecret(input: object): Promise<{ VersionIdsToStages?: Record<string, string[]> }>,
 *   getSecretValue(input: object): Promise<{ SecretString?: string }>,
 *   putSecretValue(input: object): Promise<unknown>,
 *   updateSecretVersionStage(input: object): Promise<unknown>,
 * }} Secrets
 * @typedef {{
 *   describeServices(input: object): Promise<{ services?: { deployments?: { createdAt?: Date, rolloutState?: string }[] }[] }>,
 *   updateService(input: object): Promise<unknown>,
 * }} Ecs
 */

// What was signed before a swap counts for the life of an access token, 24 h. A
// step sooner than this after the last one would take that away.
const leastBetween = 48 * 60 * 60 * 1000;

/**
 * Does one step of Secrets Manager's protocol. Each may run again.
 * @param {{ secrets: Secrets, ecs: Ecs, cluster: string, service: string, now: () => Date }} world
 * @param {Event} event
 */
export async function rotate(world, event) {
  const { secrets } = world;
  const { SecretId, ClientRequestToken: token } = event;
  switch (event.Step) {
    case 'createSecret': {
      if (await read(secrets, SecretId, token, 'AWSPENDING')) return; // a repetition
      const { VersionIdsToStages: stages = {} } = await secrets.describeSecret({ SecretId });
      if (stages[token]?.includes('AWSCURRENT')) return; // a repetition after the last step
      const current = await read(secrets, SecretId, undefined, 'AWSCURRENT');
      if (!current) throw new Error('the secret has no value: the keys function fills it when the stack is deployed');
      await mayChange(world, current);
      await secrets.putSecretValue({
        SecretId, ClientRequestToken: token, VersionStages: ['AWSPENDING'], SecretString: JSON.stringify(following(current, world.now())),
      });
      return;
    }
    case 'setSecret': // the servers read it when they start
      return;
    case 'testSecret': {
      // When the schedule is made, this step alone is called, to see whether the
      // function can be: there may be no pending value then, or a copy.
      const pending = await read(secrets, SecretId, token, 'AWSPENDING');
      if (pending) check(pending);
      return;
    }
    case 'finishSecret': {
      const { VersionIdsToStages: stages = {} } = await secrets.describeSecret({ SecretId });
      const current = Object.keys(stages).find((id) => stages[id].includes('AWSCURRENT'));
      if (current !== token) {
        await secrets.updateSecretVersionStage({ SecretId, VersionStage: 'AWSCURRENT', MoveToVersionId: token, RemoveFromVersionId: current });
      }
      // Also in a repetition: the first try may have ended between the two.
      await world.ecs.updateService({ cluster: world.cluster, service: world.service, forceNewDeployment: true });
      return;
    }
    default:
      throw new Error(`there is no step ${event.Step}`);
  }
}

/**
 * @param {Signing} s
 * @param {Date} now
 * @returns {Signing}
 */
function following(s, now) {
  const changed = now.toISOString();
  switch (s.next) {
    case 'introduce':
      return { SECRET_KEY: s.SECRET_KEY, SECRET_KEY_PREVIOUS: randomBytes(48).toString('base64'), next: 'swap', changed };
    case 'swap':
      return { SECRET_KEY: s.SECRET_KEY_PREVIOUS, SECRET_KEY_PREVIOUS: s.SECRET_KEY, next: 'introduce', changed };
    default:
      throw new Error('the field next of the secret must be introduce or swap');
  }
}

/**
 * Refuses a step while the one before has not reached all servers.
 * @param {Parameters<typeof rotate>[0]} world
 * @param {Signing} current
 */
async function mayChange({ ecs, cluster, service, now }, current) {
  const changed = new Date(current.changed);
  if (Number.isNaN(changed.getTime())) throw new Error('the field changed of the secret must be a time');
  if (now().getTime() - changed.getTime() < leastBetween) {
    throw new Error('the last step is less than 48 hours ago: what was signed before it still counts');
  }
  const { services = [] } = await ecs.describeServices({ cluster, services: [service] });
  const deployments = services[0]?.deployments ?? [];
  const [only] = deployments;
  if (deployments.length !== 1 || only.rolloutState !== 'COMPLETED' || !only.createdAt || only.createdAt < changed) {
    throw new Error('the servers have not all been replaced since the last step, or are being replaced now');
  }
}

/** @param {Signing} s */
function check(s) {
  for (const name of /** @type {const} */ (['SECRET_KEY', 'SECRET_KEY_PREVIOUS'])) {
    if (typeof s[name] !== 'string' || s[name].length < 32) throw new Error(`${name} of the pending secret is shorter than 32 bytes`);
  }
  if (s.SECRET_KEY === s.SECRET_KEY_PREVIOUS) throw new Error('the two secrets are the same');
}

/**
 * @param {Secrets} secrets
 * @param {string} SecretId
 * @param {string | undefined} VersionId
 * @param {string} VersionStage
 * @returns {Promise<Signing | undefined>} undefined when there is no such version
 */
async function read(secrets, SecretId, VersionId, VersionStage) {
  let text;
  try {
    ({ SecretString: text } = await secrets.getSecretValue({ SecretId, VersionId, VersionStage }));
  } catch (e) {
    if (e instanceof Error && e.name === 'ResourceNotFoundException') return undefined;
    throw e;
  }
  try {
    return JSON.parse(text ?? '');
  } catch {
    throw new Error('the secret is not JSON'); // the parser's own words would show a part of it
  }
}
