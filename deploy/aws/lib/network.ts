import { RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Config } from './config.ts';
import { explain } from './nag.ts';
import { sizes } from './sizes.ts';

/** Where the server listens in its task. */
export const serverPort = 8000;

/** Of the whole network. */
const range = '10.20.0.0/16';

const postgres = ec2.Port.tcp(5432);
// SMTP with STARTTLS, and with TLS from the start.
const submission = [ec2.Port.tcp(587), ec2.Port.tcp(465)];

/**
 * The network over two zones, and who may talk to whom. There is no NAT: what a
 * task needs of AWS it reaches through endpoints, or (size small) through an
 * address of its own that nobody can reach it by.
 */
export class Network extends Stack {
  readonly vpc: ec2.Vpc;
  readonly balancer: ec2.SecurityGroup;
  readonly server: ec2.SecurityGroup;
  readonly migration: ec2.SecurityGroup;
  readonly database: ec2.SecurityGroup;
  /** Where tasks run. */
  readonly tasks: ec2.SubnetSelection;

  constructor(scope: Construct, id: string, props: StackProps & { config: Config }) {
    super(scope, id, props);
    const size = sizes[props.config.size];
    this.tasks = { subnetType: size.publicTasks ? ec2.SubnetType.PUBLIC : ec2.SubnetType.PRIVATE_ISOLATED };
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(range),
      ipProtocol: ec2.IpProtocol.DUAL_STACK, // for clients that speak IPv6
      maxAzs: 2,
      natGateways: 0,
      // Nothing uses the default group; a function that empties it would need rights over all groups.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'Public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'Isolated', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 22 },
      ],
    });
    const flows = new logs.LogGroup(this, 'Flows', { retention: logs.RetentionDays.TWO_WEEKS, removalPolicy: RemovalPolicy.DESTROY });
    const writer = new iam.Role(this, 'FlowsWriter', { assumedBy: new iam.ServicePrincipal('vpc-flow-logs.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
    }) });
    // What was refused is what tells of somebody trying doors; all traffic would cost more than it says.
    this.vpc.addFlowLog('Refused', {
      destination: ec2.FlowLogDestination.toCloudWatchLogs(flows, writer),
      trafficType: ec2.FlowLogTrafficType.REJECT,
    });

    const group = (name: string, description: string) => new ec2.SecurityGroup(this, name, {
      vpc: this.vpc, description, allowAllOutbound: false, allowAllIpv6Outbound: false,
    });
    this.balancer = group('Balancer', 'The balancer: from everywhere on 80 and 443, to servers alone');
    this.server = group('Server', 'Servers: from the balancer alone');
    this.migration = group('Migration', 'One-off migrations: from nobody');
    this.database = group('Database', 'The database: from servers and migrations alone');

    for (const peer of [ec2.Peer.anyIpv4(), ec2.Peer.anyIpv6()]) {
      this.balancer.addIngressRule(peer, ec2.Port.tcp(443), 'HTTPS');
      this.balancer.addIngressRule(peer, ec2.Port.tcp(80), 'HTTP, to be sent to HTTPS');
    }
    explain(this.balancer, { 'AwsSolutions-EC23': 'The balancer is the public door: 80 (which only redirects) and 443 are open to everybody.' });
    // To a range and not to the servers' group: only rules inside of a group take the
    // place of EC2's own, by which a new group may talk to everybody.
    this.balancer.addEgressRule(ec2.Peer.ipv4(range), ec2.Port.tcp(serverPort), 'Requests and health checks');
    this.server.addIngressRule(this.balancer, ec2.Port.tcp(serverPort), 'Requests and health checks');
    for (const client of [this.server, this.migration]) {
      client.addEgressRule(this.database, postgres, 'PostgreSQL');
      this.database.addIngressRule(client, postgres, 'PostgreSQL');
      // S3's addresses change, also behind its endpoint. In isolated subnets there
      // is no way to any other.
      client.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'S3, and what else of AWS a task needs');
    }

    this.vpc.addGatewayEndpoint('S3', { service: ec2.GatewayVpcEndpointAwsService.S3 });
    if (size.publicTasks) {
      for (const port of submission) this.server.addEgressRule(ec2.Peer.anyIpv4(), port, 'Mail');
      return;
    }
    const endpoints = group('Endpoints', 'Endpoints of AWS: from servers and migrations alone');
    for (const client of [this.server, this.migration]) endpoints.addIngressRule(client, ec2.Port.tcp(443), 'AWS');
    for (const port of submission) {
      this.server.addEgressRule(endpoints, port, 'Mail');
      endpoints.addIngressRule(this.server, port, 'Mail');
    }
    for (const [name, service] of Object.entries({
      EcrApi: ec2.InterfaceVpcEndpointAwsService.ECR,
      EcrDocker: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
      Logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
      Secrets: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
      Mail: ec2.InterfaceVpcEndpointAwsService.EMAIL_SMTP,
    })) {
      this.vpc.addInterfaceEndpoint(name, {
        service, subnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED }, securityGroups: [endpoints], open: false, privateDnsEnabled: true,
      });
    }
  }
}
