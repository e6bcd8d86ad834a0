import { Stack, type StackProps } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import type { Config } from './config.ts';
import type { Data } from './data.ts';
import { explain } from './nag.ts';
import type { Network } from './network.ts';
import { outputs } from './outputs.ts';
import { sizes } from './sizes.ts';
import { migrationTask } from './task.ts';

/** The cluster, and the task that migrates before a release: a stack of its own, because it is deployed before the servers are. */
export class Migrate extends Stack {
  readonly cluster: ecs.Cluster;

  constructor(scope: Construct, id: string, props: StackProps & { config: Config; data: Data; network: Network }) {
    super(scope, id, props);
    const { config, network } = props;
    this.cluster = new ecs.Cluster(this, 'Cluster', { vpc: network.vpc, containerInsightsV2: ecs.ContainerInsights.DISABLED });
    explain(this.cluster, { 'AwsSolutions-ECS4': 'The server writes metrics of its own, and ECS measures processor and memory of the service without it; it would cost more than the tasks of size small.' });
    const task = migrationTask(this, props);
    outputs(this, {
      Cluster: this.cluster.clusterName,
      Task: task.taskDefinitionArn,
      LogGroup: task.logGroup.logGroupName,
      Network: networkOf(network, network.migration, config),
    });
  }
}

/** The --network-configuration of `aws ecs run-task`. */
export function networkOf(network: Network, group: ec2.SecurityGroup, config: Config): string {
  const subnets = network.vpc.selectSubnets(network.tasks).subnetIds.join(',');
  const address = sizes[config.size].publicTasks ? 'ENABLED' : 'DISABLED';
  return `awsvpcConfiguration={subnets=[${subnets}],securityGroups=[${group.securityGroupId}],assignPublicIp=${address}}`;
}
