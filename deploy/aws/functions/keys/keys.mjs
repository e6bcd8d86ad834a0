// Makes secrets that nobody types in, once: the pair of keys for the URLs of
// photos, and the first secrets of the server. They lie in Secrets Manager alone:
// no template, no log and no operator's machine ever holds them.

import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';

/** @typedef {{ getSecretValue(input: object): Promise<{ SecretString?: string }>, putSecretValue(input: object): Promise<unknown> }} Secrets */

/**
 * Fills a secret unless it is filled already: run again, it changes nothing.
 * @param {Secrets} secrets
 * @param {{ kind: string, secret: string }} what `media-key` or `signing`, and the ARN of the secret
 * @param {() => Promise<void>} wait some seconds
 * @returns {Promise<Record<string, string>>} what may be known: the public half of a pair
 */
export async function make(secrets, { kind, secret }, wait) {
  switch (kind) {
    case 'media-key':
      return { PublicKey: publicOf(await filled(secrets, secret, isPair, newPair, wait)) };
    case 'signing':
      await filled(secrets, secret, isSigning, newSigning, wait);
      return {};
    default:
      throw new Error(`there is no kind of secret ${kind}`);
  }
}

/**
 * @param {Secrets} secrets
 * @param {string} id
 * @param {(text: string) => boolean} good
 * @param {() => string} fresh
 * @param {() => Promise<void>} wait
 */
async function filled(secrets, id, good, fresh, wait) {
  const { SecretString: present = '' } = await allowed(() => secrets.getSecretValue({ SecretId: id }), wait);
  if (good(present)) return present;
  const made = fresh();
  await allowed(() => secrets.putSecretValue({ SecretId: id, SecretString: made }), wait);
  return made;
}

/**
 * Calls what this function got the right to a moment ago: that takes some seconds
 * to be known everywhere.
 * @template T
 * @param {() => Promise<T>} call
 * @param {() => Promise<void>} wait
 */
async function allowed(call, wait) {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (e) {
      if (!(e instanceof Error) || e.name !== 'AccessDeniedException' || tries === 10) throw e;
      await wait();
    }
  }
}

/** @param {string} text */
function isPair(text) {
  try {
    return createPrivateKey(text).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}

// CloudFront takes RSA with 2048 bits.
function newPair() {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** @param {string} text */
function publicOf(text) {
  return createPublicKey(text).export({ type: 'spki', format: 'pem' }).toString();
}

/** @param {string} text */
function isSigning(text) {
  try {
    const s = JSON.parse(text);
    return typeof s.SECRET_KEY === 'string' && typeof s.SECRET_KEY_PREVIOUS === 'string' && typeof s.next === 'string';
  } catch {
    return false;
  }
}

// The server wants two different ones. Nothing was ever signed with the previous.
function newSigning() {
  return JSON.stringify({
    SECRET_KEY: randomBytes(48).toString('base64'),
    SECRET_KEY_PREVIOUS: randomBytes(48).toString('base64'),
    next: 'introduce',
    changed: '1970-01-01T00:00:00.000Z',
  });
}
