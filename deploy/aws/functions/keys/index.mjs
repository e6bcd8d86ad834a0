// The SDK is part of Lambda's Node runtime: nothing is bundled.
import { setTimeout } from 'node:timers/promises';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { answer } from './answer.mjs';
import { make } from './keys.mjs';

const secrets = new SecretsManager({});

export const handler = (event) => answer(event, ({ kind, secret }) => make(secrets, { kind, secret }, () => setTimeout(5000)));
