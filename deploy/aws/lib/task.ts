import { CfnParameter, Duration, RemovalPolicy, Size as Bytes, Stack } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Config } from './config.ts';
import { type Data, ownerRole, serveRole } from './data.ts';
import type { Media } from './media.ts';
import { explain } from './nag.ts';
import { type Network, serverPort } from './network.ts';
import { type Size, sizes } from './sizes.ts';

/** The longest a server takes to end after SIGTERM, in seconds (docs/operations.md, Stopping). */
export const drain = 30;

/** What the metrics of the server are found under in CloudWatch. */
export const metricsNamespace = 'Ridecopilot';

/** The tag of the image, asked for when a stack is deployed first; later deployments keep it unless told another. */
export function imageTag(stack: Stack): CfnParameter {
  return new CfnParameter(stack, 'ImageTag', {
    description: 'The tag of the image in ECR, such as v1.0.0', allowedPattern: '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}',
  });
}

/** Where the database is, for a role, with its certificate checked. */
function databaseURL(data: Data, role: string): string {
  return `postgres://${role}@${data.database.dbInstanceEndpointAddress}:5432/ridecopilot?sslmode=verify-full&sslrootcert=/etc/ridecopilot/rds-ca.pem`;
}

function publicURL(config: Config): string {
  return `https://api.${config.domain}`;
}

export interface TaskProps {
  config: Config;
  data: Data;
  command: string[];
  environment: Record<string, string>;
  secrets: Record<string, ecs.Secret>;
  stream: string;
  healthCheck?: ecs.HealthCheck;
}

/** A task of the server's image: read-only but for /data, without root, with its secrets from Secrets Manager. */
export class Task extends ecs.FargateTaskDefinition {
  readonly logGroup: logs.LogGroup;
  readonly container: ecs.ContainerDefinition;

  constructor(scope: Stack, id: string, props: TaskProps) {
    const size = sizes[props.config.size];
    super(scope, id, {
      cpu: size.cpu, memoryLimitMiB: size.memory,
      runtimePlatform: { cpuArchitecture: ecs.CpuArchitecture.ARM64, operatingSystemFamily: ecs.OperatingSystemFamily.LINUX },
      volumes: [{ name: 'data' }],
    });
    this.logGroup = new logs.LogGroup(scope, `${id}Log`, { retention: retention(size), removalPolicy: RemovalPolicy.RETAIN });
    this.container = this.addContainer('ridecopilot', {
      containerName: 'ridecopilot',
      image: ecs.ContainerImage.fromEcrRepository(props.data.images, imageTag(scope).valueAsString),
      entryPoint: ['ridecopilot'],
      command: props.command,
      environment: { DATA_DIR: '/data', LOG_FORMAT: 'json', GOMEMLIMIT: `${size.goMemory}MiB`, ...props.environment },
      secrets: props.secrets,
      healthCheck: props.healthCheck,
      stopTimeout: Duration.seconds(2 * drain), // then it is killed
      user: '65532',
      privileged: false,
      readonlyRootFilesystem: true,
      linuxParameters: noPrivileges(scope, id),
      // A log that does not take lines must not hold up requests.
      logging: ecs.LogDrivers.awsLogs({ logGroup: this.logGroup, streamPrefix: props.stream, mode: ecs.AwsLogDriverMode.NON_BLOCKING, maxBufferSize: Bytes.mebibytes(10) }),
    });
    this.container.addMountPoints({ containerPath: '/data', sourceVolume: 'data', readOnly: false });
    explain(this, {
      'AwsSolutions-ECS2': 'What stands in the environment is no secret; those come from Secrets Manager, and a test looks through the template.',
      'AwsSolutions-IAM5[Resource::*]': 'ecr:GetAuthorizationToken knows no resource.',
    });
  }
}

function noPrivileges(scope: Construct, id: string): ecs.LinuxParameters {
  const linux = new ecs.LinuxParameters(scope, `${id}Linux`, { initProcessEnabled: false });
  linux.dropCapabilities(ecs.Capability.ALL);
  return linux;
}

function retention(size: Size): logs.RetentionDays {
  return size.logDays as logs.RetentionDays; // its values are days
}

function signingSecrets(data: Data): Record<string, ecs.Secret> {
  return {
    SECRET_KEY: ecs.Secret.fromSecretsManager(data.signing, 'SECRET_KEY'),
    SECRET_KEY_PREVIOUS: ecs.Secret.fromSecretsManager(data.signing, 'SECRET_KEY_PREVIOUS'),
  };
}

/** The task that migrates, as the owner of the schema, and ends. */
export function migrationTask(scope: Stack, props: { config: Config; data: Data }): Task {
  const { data, config } = props;
  return new Task(scope, 'Task', {
    config, data, stream: 'migrate',
    command: ['migrate', '--serve-role', serveRole],
    // The image listens on all addresses, which asks for a public one.
    environment: { DATABASE_URL: databaseURL(data, ownerRole), PUBLIC_URL: publicURL(config) },
    secrets: { ...signingSecrets(data), PGPASSWORD: ecs.Secret.fromSecretsManager(data.database.secret!, 'password') },
  });
}

/** The task that serves. */
export function serverTask(scope: Stack, props: { config: Config; data: Data; media: Media; network: Network }): Task {
  const { config, data, media, network } = props;
  const task = new Task(scope, 'Task', {
    config, data, stream: 'serve',
    command: ['serve'],
    environment: {
      ADDR: `0.0.0.0:${serverPort}`,
      DATABASE_URL: databaseURL(data, serveRole),
      DATABASE_IAM_AUTH: 'on',
      PUBLIC_URL: publicURL(config),
      TRUSTED_PROXIES: network.vpc.publicSubnets.map((s) => s.ipv4CidrBlock).join(','),
      S3_BUCKET: media.bucket.bucketName,
      S3_REGION: config.region,
      CLOUDFRONT_DOMAIN: media.host,
      CLOUDFRONT_KEY_ID: media.keyId,
      ...(config.origins.length === 0 ? {} : { CORS_ALLOWED_ORIGINS: config.origins.join(',') }),
      MAIL_FROM: config.mailFrom,
      REGISTRATION: config.registration,
      METRICS_ADDR: 'off',
      CLOUDWATCH_NAMESPACE: metricsNamespace,
    },
    secrets: {
      ...signingSecrets(data),
      SMTP_URL: ecs.Secret.fromSecretsManager(data.smtp),
      CLOUDFRONT_PRIVATE_KEY: ecs.Secret.fromSecretsManager(media.privateKey),
    },
    healthCheck: patient,
  });
  task.container.addPortMappings({ containerPort: serverPort });
  return task;
}

// The server is not ready while its database is away, and takes up again by
// itself. So it is replaced only when it has not been ready for much longer than a
// failover takes: until then there would be nothing better to replace it with.
const patient: ecs.HealthCheck = {
  command: ['CMD', 'ridecopilot', 'healthcheck'], interval: Duration.seconds(30), timeout: Duration.seconds(10), retries: 6, startPeriod: Duration.seconds(60),
};
