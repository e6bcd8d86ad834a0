import { Duration } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import list from '../alarms.json' with { type: 'json' };
import type { Config } from './config.ts';

/** How an alarm is raised; CloudWatch's words. Missing values are no reason unless it says so. */
export interface Rule {
  metric: cloudwatch.IMetric;
  threshold: number;
  operator?: cloudwatch.ComparisonOperator;
  periods: number;
  of?: number;
  missing?: cloudwatch.TreatMissingData;
}

/** The alarms of a stack, and the topic by which the operator is told of them. */
export class Alarms extends Construct {
  private readonly topic: sns.Topic;
  private readonly runbooks: string;

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id);
    this.runbooks = config.runbooks;
    this.topic = new sns.Topic(this, 'Topic', { displayName: 'Ridecopilot', enforceSSL: true });
    // A policy of one's own takes the place of the default one, by which alarms may publish.
    this.topic.addToResourcePolicy(new iam.PolicyStatement({
      sid: 'Alarms',
      principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [this.topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
    }));
    new sns.Subscription(this, 'Operator', { topic: this.topic, protocol: sns.SubscriptionProtocol.EMAIL, endpoint: config.operatorEmail });
  }

  /** Adds an alarm of alarms.json. The operator is told when it is raised and when it is over. */
  add(name: string, rule: Rule): void {
    const known = list.find((a) => a.name === name);
    if (known === undefined) throw new Error(`alarms.json has no alarm ${name}`);
    const alarm = new cloudwatch.Alarm(this, name, {
      alarmName: `ridecopilot-${name}`,
      alarmDescription: `${known.means} ${this.runbooks}#alarm-${name}`,
      metric: rule.metric,
      threshold: rule.threshold,
      comparisonOperator: rule.operator ?? cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: rule.of ?? rule.periods,
      datapointsToAlarm: rule.periods,
      treatMissingData: rule.missing ?? cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    const tell = new actions.SnsAction(this.topic);
    alarm.addAlarmAction(tell);
    alarm.addOkAction(tell);
  }

  /** ACM renews 60 days before the end: at 30 something is wrong. It is measured twice a day. */
  certificate(name: string, certificate: acm.ICertificate): void {
    this.add(name, {
      metric: certificate.metricDaysToExpiry({ period: Duration.days(1), statistic: 'Minimum' }),
      threshold: 30, operator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD, periods: 1,
    });
  }
}
