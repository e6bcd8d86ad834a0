import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { Config } from './config.ts';
import { Keys, notRotated } from './keys.ts';
import { explain } from './nag.ts';
import type { Network } from './network.ts';
import { outputs } from './outputs.ts';
import { sizes } from './sizes.ts';

/** Who owns the schema and migrates; RDS keeps and rotates the password. */
export const ownerRole = 'ridecopilot_owner';

/** Who serves, with rights on rows alone and without a password: it signs in with a token of its task role. */
export const serveRole = 'ridecopilot';

/** What must survive every release: the images, the database, the secrets. */
export class Data extends Stack {
  readonly images: ecr.Repository;
  readonly database: rds.DatabaseInstance;
  readonly signing: secretsmanager.Secret;
  readonly smtp: secretsmanager.Secret;

  constructor(scope: Construct, id: string, props: StackProps & { config: Config; network: Network }) {
    super(scope, id, props);
    const { config, network } = props;
    const size = sizes[config.size];

    this.images = new ecr.Repository(this, 'Images', {
      repositoryName: 'ridecopilot',
      imageTagMutability: ecr.TagMutability.IMMUTABLE, // a tag that was tested is what runs
      imageScanOnPush: true,
      lifecycleRules: [{ maxImageCount: 30, description: 'Thirty releases to go back to' }],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });

    this.database = new rds.DatabaseInstance(this, 'Database', {
      // The major version alone: RDS brings the minor ones.
      engine: rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.of('17', '17') }),
      instanceType: new ec2.InstanceType(size.database),
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [network.database],
      publiclyAccessible: false,
      multiAz: config.multiAz,
      databaseName: 'ridecopilot',
      credentials: rds.Credentials.fromUsername(ownerRole),
      manageMasterUserPassword: true,
      iamAuthentication: true,
      parameters: { 'rds.force_ssl': '1', max_connections: String(size.maxConnections) },
      caCertificate: rds.CaCertificate.RDS_CA_RSA2048_G1,
      storageType: rds.StorageType.GP3,
      allocatedStorage: size.storage,
      maxAllocatedStorage: size.maxStorage,
      storageEncrypted: true,
      backupRetention: Duration.days(size.backupDays),
      preferredBackupWindow: '00:30-01:30',
      preferredMaintenanceWindow: 'Sun:02:00-Sun:03:00',
      deleteAutomatedBackups: false,
      copyTagsToSnapshot: true,
      autoMinorVersionUpgrade: true,
      allowMajorVersionUpgrade: false,
      enablePerformanceInsights: true,
      performanceInsightRetention: rds.PerformanceInsightRetention.DEFAULT, // 7 days, which cost nothing
      databaseInsightsMode: rds.DatabaseInsightsMode.STANDARD,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    explain(this.database, {
      'AwsSolutions-RDS11': 'Another port hides nothing: the database is in subnets without a way in, and its security group lets in servers and migrations alone.',
    });
    if (!config.multiAz) {
      explain(this.database, { 'AwsSolutions-RDS3': 'Without a standby the database is away for some minutes when its zone fails or RDS maintains it: what size small saves. multiAz: true changes it.' });
    }

    // What is generated here is no secret of use: the function below puts the real ones in its place.
    this.signing = new secretsmanager.Secret(this, 'Signing', { description: 'Ridecopilot: SECRET_KEY and SECRET_KEY_PREVIOUS', removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE });
    notRotated(this.signing, 'It rotates: the schedule is in the stack Service, which knows the servers that have to be replaced.');
    new Keys(this, 'Keys').fill('SigningFilled', 'signing', this.signing);
    this.smtp = new secretsmanager.Secret(this, 'Smtp', { description: 'Ridecopilot: SMTP_URL, which the operator fills', removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE });
    notRotated(this.smtp, 'SES derives SMTP passwords from an access key of IAM, which the operator changes (README.md, Secrets).');

    outputs(this, {
      Repository: this.images.repositoryUri,
      SigningSecret: this.signing.secretArn,
      SmtpSecret: this.smtp.secretArn,
      Database: this.database.instanceIdentifier,
    });
  }
}
