import { Aws, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as budgets from 'aws-cdk-lib/aws-budgets';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as targets from 'aws-cdk-lib/aws-route53-targets';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as waf from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import { Alarms } from './alarms.ts';
import { type Data, serveRole } from './data.ts';
import { ownFunction } from './keys.ts';
import { type Media, ownPrefix } from './media.ts';
import { networkOf } from './migrate.ts';
import { type Named, zoneOf } from './names.ts';
import { explain } from './nag.ts';
import { type Network, serverPort } from './network.ts';
import { outputs } from './outputs.ts';
import { maxHealthyPercent, type Size, sizes } from './sizes.ts';
import { drain, metricsNamespace, serverTask, type Task } from './task.ts';

export interface ServiceProps extends StackProps, Named {
  network: Network;
  data: Data;
  media: Media;
  cluster: ecs.Cluster;
}

/** Requests of one address within five minutes, above which it is refused for a while. Many drivers share one behind a carrier's NAT. */
export const requestsPerAddress = 3000;

/** Days between the steps by which the signing secrets change; a secret signs for two of them. */
export const rotationDays = 30;

/** The servers and what is in front of them: replaced at every release. */
export class Service extends Stack {
  constructor(scope: Construct, id: string, props: ServiceProps) {
    super(scope, id, props);
    const { config, network } = props;
    const size = sizes[config.size];

    const task = serverTask(this, props);
    this.grant(task, props);
    const service = new ecs.FargateService(this, 'Service', {
      cluster: props.cluster,
      taskDefinition: task,
      // Without a number of tasks: a deployment leaves it as the scaling has it.
      assignPublicIp: size.publicTasks,
      vpcSubnets: network.tasks,
      securityGroups: [network.server],
      minHealthyPercent: 100,
      maxHealthyPercent,
      circuitBreaker: { enable: true, rollback: true },
      healthCheckGracePeriod: Duration.seconds(60),
      enableExecuteCommand: false,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
      enableECSManagedTags: true,
    });

    service.node.addDependency(task.executionRole!); // and with it the right to the image and the secrets

    const { balancer, group } = this.balancer(service, props);
    this.scale(service, group, size);
    const rotation = this.rotation(service, props);
    this.watch({ service, balancer, group, rotation, ...props });

    new budgets.CfnBudget(this, 'Budget', {
      budget: { budgetName: 'ridecopilot', budgetType: 'COST', timeUnit: 'MONTHLY', budgetLimit: { amount: config.monthlyBudget, unit: 'USD' } },
      notificationsWithSubscribers: [{ notificationType: 'ACTUAL', threshold: 80 }, { notificationType: 'FORECASTED', threshold: 100 }].map((n) => ({
        notification: { ...n, comparisonOperator: 'GREATER_THAN', thresholdType: 'PERCENTAGE' },
        subscribers: [{ subscriptionType: 'EMAIL', address: config.operatorEmail }],
      })),
    });

    outputs(this, {
      Cluster: props.cluster.clusterName,
      ServiceName: service.serviceName,
      Task: task.taskDefinitionArn,
      LogGroup: task.logGroup.logGroupName,
      Network: networkOf(network, network.server, config),
      Address: `https://api.${config.domain}/`,
    });
  }

  /** What the server may do: with its objects, as docs/operations.md lists it, and sign in to the database as one role. */
  private grant(task: Task, { data, media, config }: ServiceProps): void {
    const objects = media.bucket.arnForObjects(`${ownPrefix}*`);
    const older = config.olderPhotos === '' ? undefined : media.bucket.arnForObjects(`${config.olderPhotos}*`);
    const may = (sid: string, actions: string[], ...resources: string[]) => {
      task.addToTaskRolePolicy(new iam.PolicyStatement({ sid, actions, resources }));
    };
    may('Objects', ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:DeleteObjectVersion'], objects);
    may('Bucket', ['s3:ListBucket', 's3:ListBucketVersions', 's3:GetBucketVersioning'], media.bucket.bucketArn);
    if (older !== undefined) may('OlderPhotos', ['s3:GetObject', 's3:DeleteObject', 's3:DeleteObjectVersion'], older);
    // CDK's name of the bucket's ARN in another stack stands in what cdk-nag finds.
    const arn = JSON.stringify({ 'Fn::GetStackOutput': { StackName: media.stackName, Region: config.region, OutputName: 'PublishOutputFnGetAttBucket83908E77Arn0F129B3B' } });
    const reason = 'A prefix of one bucket is what the server may use of S3, and a prefix is written so.';
    for (const prefix of [ownPrefix, config.olderPhotos]) {
      if (prefix !== '') explain(task, { [`AwsSolutions-IAM5[Resource::${arn}/${prefix}*]`]: reason });
    }
    may('Database', ['rds-db:connect'],
      `arn:aws:rds-db:${config.region}:${Aws.ACCOUNT_ID}:dbuser:${data.database.instanceResourceId!}/${serveRole}`);
  }

  private balancer(service: ecs.FargateService, props: ServiceProps) {
    const { config, network } = props;
    const zone = zoneOf(this, props);
    const name = `api.${config.domain}`;
    const certificate = new acm.Certificate(this, 'Certificate', { domainName: name, validation: acm.CertificateValidation.fromDns(zone) });
    const balancer = new elb.ApplicationLoadBalancer(this, 'Balancer', {
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
      internetFacing: true,
      ipAddressType: elb.IpAddressType.DUAL_STACK,
      securityGroup: network.balancer,
      idleTimeout: Duration.seconds(60), // the server's own is 75 s: it never closes first
      dropInvalidHeaderFields: true,
      desyncMitigationMode: elb.DesyncMitigationMode.STRICTEST,
    });
    explain(balancer, {
      'AwsSolutions-ELB2': 'Access logs hold whole addresses, with the tokens of links to reset a password in them, which the server promises to keep out of logs (P4). It writes a line for every request itself.',
    });
    // open: false, because the network says who may come in, over IPv4 and IPv6.
    balancer.addListener('Http', {
      port: 80, open: false,
      defaultAction: elb.ListenerAction.redirect({ protocol: 'HTTPS', port: '443', permanent: true }),
    });
    const https = balancer.addListener('Https', {
      port: 443, open: false, protocol: elb.ApplicationProtocol.HTTPS, certificates: [certificate], sslPolicy: elb.SslPolicy.TLS13_12_RES_PQ,
    });
    const group = https.addTargets('Servers', {
      port: serverPort, protocol: elb.ApplicationProtocol.HTTP, targets: [service],
      // ECS first takes a task out, waits as long for its requests to end, and then sends SIGTERM.
      deregistrationDelay: Duration.seconds(drain),
      // As patient as the container's own check (lib/task.ts): a task is replaced after 150 s.
      healthCheck: {
        path: '/readyz', healthyHttpCodes: '200', interval: Duration.seconds(15), timeout: Duration.seconds(5), healthyThresholdCount: 2, unhealthyThresholdCount: 10,
      },
    });
    if (config.waf) this.firewall(balancer);

    const alias = { zone, recordName: 'api', target: route53.RecordTarget.fromAlias(new targets.LoadBalancerTarget(balancer)) };
    new route53.ARecord(this, 'A', alias);
    new route53.AaaaRecord(this, 'Aaaa', alias);
    return { balancer, certificate, group };
  }

  /** A limit for one address, before requests cost a server anything. What is right and wrong in a request the server knows better. */
  private firewall(balancer: elb.ApplicationLoadBalancer): void {
    // No samples of requests are kept: they hold what must not be in logs (P4).
    const visibility = (metricName: string) => ({ metricName, cloudWatchMetricsEnabled: true, sampledRequestsEnabled: false });
    const acl = new waf.CfnWebACL(this, 'Firewall', {
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visibility('ridecopilot'),
      rules: [{
        name: 'rate', priority: 0,
        statement: { rateBasedStatement: { limit: requestsPerAddress, evaluationWindowSec: 300, aggregateKeyType: 'IP' } },
        action: { block: { customResponse: { responseCode: 429, responseHeaders: [{ name: 'Retry-After', value: '60' }] } } },
        visibilityConfig: visibility('ridecopilot-rate'),
      }],
    });
    new waf.CfnWebACLAssociation(this, 'FirewallOfBalancer', { webAclArn: acl.attrArn, resourceArn: balancer.loadBalancerArn });
  }

  private scale(service: ecs.FargateService, group: elb.ApplicationTargetGroup, size: Size): void {
    const scaling = service.autoScaleTaskCount({ minCapacity: size.minTasks, maxCapacity: size.maxTasks });
    const pace = { scaleInCooldown: Duration.minutes(5), scaleOutCooldown: Duration.minutes(1) };
    scaling.scaleOnCpuUtilization('Processor', { targetUtilizationPercent: 60, ...pace });
    scaling.scaleOnRequestCount('Requests', { targetGroup: group, requestsPerTarget: size.requestsPerTask, ...pace });
  }

  /** The rotation of the signing secrets (functions/rotate). */
  private rotation(service: ecs.FargateService, { data, cluster }: ServiceProps): lambda.Function {
    const rotate = ownFunction(this, 'Rotate', 'rotate', 'Rotates the signing secrets of Ridecopilot in two steps', {
      environment: { CLUSTER: cluster.clusterName, SERVICE: service.serviceName },
    });
    const secret = data.signing.secretArn;
    const rights = new iam.Policy(this, 'RotateRights', {
      roles: [rotate.role!],
      statements: [
        new iam.PolicyStatement({
          actions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage'],
          resources: [secret],
        }),
        new iam.PolicyStatement({ actions: ['ecs:DescribeServices', 'ecs:UpdateService'], resources: [service.serviceArn] }),
      ],
    });
    rotate.addPermission('SecretsManager', {
      principal: new iam.ServicePrincipal('secretsmanager.amazonaws.com'), sourceAccount: this.account,
    });
    const schedule = new secretsmanager.CfnRotationSchedule(this, 'Rotation', {
      secretId: secret,
      rotationLambdaArn: rotate.functionArn,
      rotationRules: { automaticallyAfterDays: rotationDays },
      rotateImmediatelyOnUpdate: false,
    });
    schedule.node.addDependency(rights, rotate.node.findChild('SecretsManager'));
    return rotate;
  }

  private watch(w: ServiceProps & {
    service: ecs.FargateService; balancer: { metrics: elb.IApplicationLoadBalancerMetrics }; group: elb.ApplicationTargetGroup; rotation: lambda.Function;
  }): void {
    const { config, service, balancer, group, data } = w;
    const size = sizes[config.size];
    const minute = Duration.minutes(1);
    const five = Duration.minutes(5);
    const less = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD;
    const own = (metricName: string, statistic: string, period = minute) =>
      new cloudwatch.Metric({ namespace: metricsNamespace, metricName, statistic, period });
    const p99 = group.metrics.targetResponseTime({ statistic: 'p99', period: five });
    const requests = balancer.metrics.requestCount({ period: five });
    const failed = balancer.metrics.httpCodeTarget(elb.HttpCodeTarget.TARGET_5XX_COUNT, { period: five });
    const refused = balancer.metrics.httpCodeElb(elb.HttpCodeElb.ELB_5XX_COUNT, { period: five });

    const alarms = new Alarms(this, 'Alarms', config);
    alarms.add('http-5xx', {
      metric: new cloudwatch.MathExpression({
        label: 'percent of requests', period: five, usingMetrics: { requests, failed, refused },
        expression: 'IF(FILL(failed, 0) + FILL(refused, 0) >= 5, 100 * (FILL(failed, 0) + FILL(refused, 0)) / (FILL(requests, 0) + FILL(refused, 0)), 0)',
      }),
      threshold: 1, periods: 2, of: 3,
    });
    alarms.add('latency-p99', { metric: p99, threshold: 1.5, periods: 3 });
    alarms.add('unhealthy-hosts', { metric: group.metrics.unhealthyHostCount({ statistic: 'Minimum', period: minute }), threshold: 0, periods: 5 });
    alarms.add('no-healthy-hosts', {
      metric: group.metrics.healthyHostCount({ statistic: 'Maximum', period: minute }), threshold: 1, operator: less, periods: 2,
      missing: cloudwatch.TreatMissingData.BREACHING,
    });
    alarms.add('removals-oldest', { metric: own('removals_oldest_seconds', 'Maximum', five), threshold: 6 * 3600, periods: 1 });
    alarms.add('jobs-oldest', { metric: own('jobs_oldest_seconds', 'Maximum', five), threshold: 30 * 60, periods: 2 });
    alarms.add('passwords-waiting', { metric: own('password_hashes_waiting', 'Minimum'), threshold: 0, periods: 10 });
    alarms.add('metrics-missing', {
      metric: own('jobs_oldest_seconds', 'SampleCount', five), threshold: 1, operator: less, periods: 3, missing: cloudwatch.TreatMissingData.BREACHING,
    });
    alarms.add('database-storage', { metric: data.database.metricFreeStorageSpace({ statistic: 'Minimum', period: five }), threshold: 3e9, operator: less, periods: 1 });
    alarms.add('database-connections', { metric: data.database.metricDatabaseConnections({ statistic: 'Maximum', period: five }), threshold: 0.8 * size.maxConnections, periods: 2 });
    alarms.add('database-cpu', { metric: data.database.metricCPUUtilization({ period: five }), threshold: 85, periods: 3 });
    alarms.add('rotation-failed', { metric: w.rotation.metricErrors({ statistic: 'Sum', period: five }), threshold: 0, periods: 1 });
    alarms.certificate('certificate-api', this.node.findChild('Certificate') as acm.Certificate);

    const graph = (title: string, left: cloudwatch.IMetric[], right: cloudwatch.IMetric[] = []) => new cloudwatch.GraphWidget({ title, left, right, width: 8, height: 6 });
    new cloudwatch.Dashboard(this, 'Dashboard', {
      dashboardName: 'Ridecopilot',
      defaultInterval: Duration.hours(6),
      widgets: [
        [
          graph('Requests and errors', [requests, failed, refused]),
          graph('Time to answer', [group.metrics.targetResponseTime({ statistic: 'p50', period: five }), p99]),
          graph('Hosts', [group.metrics.healthyHostCount({ period: minute }), group.metrics.unhealthyHostCount({ period: minute })]),
        ],
        [
          graph('Tasks: processor and memory (%)', [service.metricCpuUtilization({ period: five }), service.metricMemoryUtilization({ period: five })]),
          graph('Refused by the server, waits for the database', [own('http_rejected_total', 'Sum', five)], [own('database_waits', 'Sum', five)]),
          graph('Passwords waiting', [own('password_hashes_waiting', 'Maximum')]),
        ],
        [
          graph('Oldest removal and job (s)', [own('removals_oldest_seconds', 'Maximum', five), own('jobs_oldest_seconds', 'Maximum', five)]),
          graph('Database: processor (%), connections', [data.database.metricCPUUtilization({ period: five })], [data.database.metricDatabaseConnections({ statistic: 'Maximum', period: five })]),
          graph('Database: free storage (bytes)', [data.database.metricFreeStorageSpace({ period: five })]),
        ],
      ],
    });
  }
}
