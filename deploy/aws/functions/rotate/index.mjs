// The SDK is part of Lambda's Node runtime: nothing is bundled.
import { ECS } from '@aws-sdk/client-ecs';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { rotate } from './rotate.mjs';

const world = {
  secrets: new SecretsManager({}),
  ecs: new ECS({}),
  cluster: process.env.CLUSTER,
  service: process.env.SERVICE,
  now: () => new Date(),
};

export const handler = (event) => rotate(world, event);
