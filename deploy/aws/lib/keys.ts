import { CustomResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { fileURLToPath } from 'node:url';
import { explain } from './nag.ts';

/** A function of ours: plain JavaScript, the SDK is the runtime's own; a role that may do nothing but log. */
export function ownFunction(scope: Construct, id: string, folder: string, description: string, more: lambda.FunctionOptions = {}): lambda.Function {
  const logGroup = new logs.LogGroup(scope, `${id}Log`, { retention: logs.RetentionDays.THREE_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
  const role = new iam.Role(scope, `${id}Role`, { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
  logGroup.grantWrite(role);
  return new lambda.Function(scope, id, {
    description,
    code: lambda.Code.fromAsset(fileURLToPath(new URL(`../functions/${folder}`, import.meta.url))),
    handler: 'index.handler',
    runtime: lambda.Runtime.NODEJS_24_X,
    architecture: lambda.Architecture.ARM_64,
    memorySize: 256,
    timeout: Duration.seconds(30),
    role,
    logGroup,
    ...more,
  });
}

/** Fills secrets with what nobody types in, when the stack is made (functions/keys). */
export class Keys extends Construct {
  private readonly maker: lambda.Function;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.maker = ownFunction(this, 'Maker', 'keys', 'Fills secrets of Ridecopilot when they are new', { timeout: Duration.minutes(3) });
  }

  /** Fills a secret unless it is filled. For a media-key, the attribute PublicKey is its public half. */
  fill(id: string, kind: 'media-key' | 'signing', secret: secretsmanager.Secret): CustomResource {
    const rights = new iam.Policy(this, `${id}Rights`, {
      roles: [this.maker.role!],
      statements: [new iam.PolicyStatement({ actions: ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'], resources: [secret.secretArn] })],
    });
    const filled = new CustomResource(this, id, {
      serviceToken: this.maker.functionArn, resourceType: 'Custom::RidecopilotSecret', properties: { kind, secret: secret.secretArn },
      serviceTimeout: Duration.minutes(5),
    });
    filled.node.addDependency(rights);
    return filled;
  }
}

/** Why these secrets do not rotate by themselves. */
export function notRotated(secret: secretsmanager.Secret, reason: string): void {
  explain(secret, { 'AwsSolutions-SMG4': reason });
}

/** The account of a stack is known when it is deployed. */
export const accountOf = (c: Construct): string => Stack.of(c).account;
