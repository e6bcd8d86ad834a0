/** What the templates promise, in both sizes: each test is a property that an operator relies on. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drain } from '../lib/task.ts';
import { connectionsPerServer, maxHealthyPercent, reservedConnections, sizes, type SizeName } from '../lib/sizes.ts';
import { type Resource, statements, synth, text } from './synth.ts';

for (const name of Object.keys(sizes) as SizeName[]) {
  const t = synth({ size: name });
  const size = sizes[name];
  const task = (stack: string) => t.one('AWS::ECS::TaskDefinition', (r) => r.stack === stack);
  const container = (stack: string) => {
    const [only, ...others] = task(stack).properties.ContainerDefinitions;
    assert.equal(others.length, 0);
    return only;
  };
  const environment = (stack: string) => Object.fromEntries(container(stack).Environment.map((e: any) => [e.Name, text(e.Value)]));
  const secrets = (stack: string) => Object.fromEntries(container(stack).Secrets.map((e: any) => [e.Name, text(e.ValueFrom)]));
  const policyOf = (role: Resource) => statements(t.of('AWS::IAM::Policy').filter((p) => p.stack === role.stack && JSON.stringify(p.properties.Roles).includes(`"${role.id}"`)));
  const roleOf = (stack: string, attribute: string) => {
    const id = task(stack).properties[attribute]['Fn::GetAtt'][0];
    return t.one('AWS::IAM::Role', (r) => r.stack === stack && r.id === id);
  };

  describe(`size ${name}`, () => {
    describe('network', () => {
      it('is over two zones, without NAT', () => {
        assert.deepEqual([...new Set(t.of('AWS::EC2::Subnet').map((s) => JSON.stringify(s.properties.AvailabilityZone)))].length, 2);
        assert.equal(t.of('AWS::EC2::NatGateway').length, 0);
      });

      it('has endpoints where tasks have no way out', () => {
        const names = t.of('AWS::EC2::VPCEndpoint').map((e) => text(e.properties.ServiceName).replace(/^com\.amazonaws\.[^.]*\./, '')).sort();
        assert.deepEqual(names, size.publicTasks ? ['s3'] : ['ecr.api', 'ecr.dkr', 'email-smtp', 'logs', 's3', 'secretsmanager']);
        for (const e of t.of('AWS::EC2::VPCEndpoint').filter((r) => r.properties.VpcEndpointType === 'Interface')) {
          assert.equal(e.properties.PrivateDnsEnabled, true);
          assert.equal(e.properties.SubnetIds.length, 2);
        }
      });

      it('lets nobody out of isolated subnets', () => {
        const routes = t.of('AWS::EC2::Route');
        assert.ok(routes.length > 0);
        for (const r of routes) assert.match(text(r.properties.RouteTableId), /Public/);
        const s = t.one('AWS::ECS::Service').properties.NetworkConfiguration.AwsvpcConfiguration;
        assert.match(text(s.Subnets), size.publicTasks ? /^[^,]*Public[^,]*,[^,]*Public[^,]*$/ : /^[^,]*Isolated[^,]*,[^,]*Isolated[^,]*$/);
        assert.equal(s.AssignPublicIp, size.publicTasks ? 'ENABLED' : 'DISABLED');
      });

      it('opens these doors and no others', () => {
        const doors = t.of('AWS::EC2::SecurityGroup').flatMap((g) => (g.properties.SecurityGroupIngress ?? []).map((i: any) => `${g.id.replace(/[0-9A-F]{8}$/, '')} ${i.FromPort}-${i.ToPort} ${i.CidrIp ?? i.CidrIpv6}`));
        for (const i of t.of('AWS::EC2::SecurityGroupIngress')) {
          const group = (v: any) => v['Fn::GetAtt'][0].replace(/[0-9A-F]{8}$/, '');
          doors.push(`${group(i.properties.GroupId)} ${i.properties.FromPort}-${i.properties.ToPort} ${group(i.properties.SourceSecurityGroupId)}`);
        }
        const wanted = [
          'Balancer 443-443 0.0.0.0/0', 'Balancer 443-443 ::/0', 'Balancer 80-80 0.0.0.0/0', 'Balancer 80-80 ::/0',
          'Database 5432-5432 Migration', 'Database 5432-5432 Server', 'Server 8000-8000 Balancer',
          ...(size.publicTasks ? [] : ['Endpoints 443-443 Migration', 'Endpoints 443-443 Server', 'Endpoints 465-465 Server', 'Endpoints 587-587 Server']),
        ];
        assert.deepEqual(doors.sort(), wanted.sort());
        assert.ok(t.resources.filter((r) => r.type.includes('SecurityGroup') || r.type === 'AWS::EC2::SecurityGroup').every((r) => r.stack === 'Network'), 'a group elsewhere is not looked at above');
      });

      it('says of every group where it may go: a group without a rule of its own may go everywhere', () => {
        for (const g of t.of('AWS::EC2::SecurityGroup')) {
          const out = g.properties.SecurityGroupEgress ?? [];
          assert.ok(out.length > 0, `${g.id} has no rule inside of it`);
          for (const rule of out) assert.notEqual(rule.IpProtocol, '-1', `${g.id} may go everywhere`);
        }
      });
    });

    describe('servers', () => {
      it('run read-only, without root and rights, on a writable /data', () => {
        for (const stack of ['Migrate', 'Service']) {
          const c = container(stack);
          assert.equal(c.ReadonlyRootFilesystem, true);
          assert.equal(c.User, '65532');
          assert.equal(c.Privileged, false);
          assert.deepEqual(c.LinuxParameters.Capabilities, { Drop: ['ALL'] });
          assert.deepEqual(c.MountPoints, [{ ContainerPath: '/data', ReadOnly: false, SourceVolume: 'data' }]);
          assert.deepEqual(task(stack).properties.Volumes, [{ Name: 'data' }]);
          assert.deepEqual(task(stack).properties.RuntimePlatform, { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' });
        }
        assert.equal(t.one('AWS::ECS::Service').properties.EnableExecuteCommand, false);
      });

      it('run the commands that the server has', () => {
        assert.deepEqual([...container('Service').EntryPoint, ...container('Service').Command], ['ridecopilot', 'serve']);
        assert.deepEqual([...container('Migrate').EntryPoint, ...container('Migrate').Command], ['ridecopilot', 'migrate', '--serve-role', 'ridecopilot']);
        assert.deepEqual(container('Service').HealthCheck.Command, ['CMD', 'ridecopilot', 'healthcheck']);
      });

      it('have no password, key or token in their environment', () => {
        assert.deepEqual(Object.keys(secrets('Service')).sort(), ['CLOUDFRONT_PRIVATE_KEY', 'SECRET_KEY', 'SECRET_KEY_PREVIOUS', 'SMTP_URL']);
        assert.deepEqual(Object.keys(secrets('Migrate')).sort(), ['PGPASSWORD', 'SECRET_KEY', 'SECRET_KEY_PREVIOUS']);
        for (const stack of ['Service', 'Migrate']) {
          const e = environment(stack);
          for (const n of Object.keys(secrets(stack))) assert.ok(!(n in e), n);
          for (const [n, v] of Object.entries<string>(e)) {
            assert.doesNotMatch(n, /SECRET|PASSWORD|TOKEN|PRIVATE/);
            assert.doesNotMatch(v, /:[^/@]+@/, `${n} has a password in it`);
          }
        }
        assert.match(secrets('Migrate').PGPASSWORD, /MasterUserSecret.*:password::$/);
        assert.match(secrets('Service').SECRET_KEY, /Signing.*:SECRET_KEY::$/);
        assert.match(secrets('Service').SECRET_KEY_PREVIOUS, /Signing.*:SECRET_KEY_PREVIOUS::$/);
      });

      it('reach the database over TLS that is checked: the servers by a token, the migration as the owner', () => {
        const tail = ':5432/ridecopilot?sslmode=verify-full&sslrootcert=/etc/ridecopilot/rds-ca.pem';
        for (const [stack, role] of [['Service', 'ridecopilot'], ['Migrate', 'ridecopilot_owner']] as const) {
          const url: string = environment(stack).DATABASE_URL;
          assert.ok(url.startsWith(`postgres://${role}@{`) && url.endsWith(tail), url);
        }
        assert.equal(environment('Service').DATABASE_IAM_AUTH, 'on');
        assert.equal(environment('Migrate').DATABASE_IAM_AUTH, undefined);
      });

      it('trust the balancer alone', () => {
        const subnets = t.of('AWS::EC2::Subnet').filter((s) => s.id.includes('Public')).map((s) => s.properties.CidrBlock);
        assert.equal(environment('Service').TRUSTED_PROXIES, subnets.join(','));
        assert.match(text(t.one('AWS::ElasticLoadBalancingV2::LoadBalancer').properties.Subnets), /^[^,]*Public[^,]*,[^,]*Public[^,]*$/);
        assert.equal(environment('Service').PUBLIC_URL, 'https://api.example.com');
        assert.equal(environment('Service').METRICS_ADDR, 'off');
      });

      it('have the memory that their limits add up to', () => {
        // docs/operations.md: 170 MiB under load, a photo of a rare kind 768, requests 256 and eight files of 10.
        const most = 170 + 768 + 256 + 8 * 10;
        assert.equal(environment('Service').GOMEMLIMIT, `${size.goMemory}MiB`);
        assert.ok(most <= size.goMemory && size.goMemory < size.memory);
        assert.equal(task('Service').properties.Memory, String(size.memory));
      });

      it('are replaced without a gap, and a release that does not come up is taken back', () => {
        const s = t.one('AWS::ECS::Service').properties;
        const d = s.DeploymentConfiguration;
        assert.deepEqual(d.DeploymentCircuitBreaker, { Enable: true, Rollback: true });
        assert.equal(d.MinimumHealthyPercent, 100);
        assert.equal(d.MaximumPercent, 200);
        assert.equal(s.HealthCheckGracePeriodSeconds, 60);
        assert.equal(s.DesiredCount, undefined, 'a deployment would undo the scaling');
      });

      it('get the time that their drain takes', () => {
        const c = container('Service');
        assert.ok(c.StopTimeout >= drain + 5 && c.StopTimeout <= 120, `${c.StopTimeout} s`);
        const group = t.one('AWS::ElasticLoadBalancingV2::TargetGroup').properties;
        const attributes = Object.fromEntries(group.TargetGroupAttributes.map((a: any) => [a.Key, a.Value]));
        assert.ok(Number(attributes['deregistration_delay.timeout_seconds']) >= 25, 'DRAIN_DELAY and what is in flight');
        assert.equal(group.HealthCheckPath, '/readyz');
        assert.equal(group.Matcher.HttpCode, '200');
      });

      it('scale on processor and requests, within what the database takes at a release', () => {
        const target = t.one('AWS::ApplicationAutoScaling::ScalableTarget').properties;
        assert.deepEqual([target.MinCapacity, target.MaxCapacity], [size.minTasks, size.maxTasks]);
        const metrics = t.of('AWS::ApplicationAutoScaling::ScalingPolicy').map((p) => p.properties.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType);
        assert.deepEqual(metrics.sort(), ['ALBRequestCountPerTarget', 'ECSServiceAverageCPUUtilization']);
        const most = size.maxTasks * maxHealthyPercent / 100 * connectionsPerServer + reservedConnections;
        assert.ok(most <= size.maxConnections, `${most} connections`);
        assert.equal(t.one('AWS::RDS::DBParameterGroup').properties.Parameters.max_connections, String(size.maxConnections));
      });
    });

    describe('balancer', () => {
      const balancer = t.one('AWS::ElasticLoadBalancingV2::LoadBalancer').properties;
      const attributes = Object.fromEntries(balancer.LoadBalancerAttributes.map((a: any) => [a.Key, a.Value]));

      it('ends TLS 1.2 or later, and sends HTTP there', () => {
        const listeners = t.of('AWS::ElasticLoadBalancingV2::Listener').map((l) => l.properties);
        assert.equal(listeners.length, 2);
        const https = listeners.find((l) => l.Port === 443)!;
        assert.equal(https.Protocol, 'HTTPS');
        assert.match(https.SslPolicy, /^ELBSecurityPolicy-TLS13-1-[23]-/);
        assert.equal(https.Certificates.length, 1);
        const http = listeners.find((l) => l.Port === 80)!;
        assert.deepEqual(http.DefaultActions.map((a: any) => [a.Type, a.RedirectConfig.Protocol, a.RedirectConfig.Port, a.RedirectConfig.StatusCode]), [['redirect', 'HTTPS', '443', 'HTTP_301']]);
      });

      it('drops headers that are none, and closes before the server does', () => {
        assert.equal(attributes['routing.http.drop_invalid_header_fields.enabled'], 'true');
        assert.equal(attributes['routing.http.desync_mitigation_mode'], 'strictest');
        assert.ok(Number(attributes['idle_timeout.timeout_seconds']) < 75, "the server's own is 75 s (promise O1)");
      });

      it('keeps no log of addresses with tokens in them', () => {
        assert.equal(attributes['access_logs.s3.enabled'], undefined);
        const acl = t.one('AWS::WAFv2::WebACL').properties;
        assert.equal(acl.VisibilityConfig.SampledRequestsEnabled, false);
        for (const r of acl.Rules) assert.equal(r.VisibilityConfig.SampledRequestsEnabled, false);
      });

      it('has a firewall that limits one address', () => {
        const acl = t.one('AWS::WAFv2::WebACL');
        assert.equal(acl.properties.Scope, 'REGIONAL');
        const [rate, ...others] = acl.properties.Rules;
        assert.equal(others.length, 0);
        assert.deepEqual(rate.Statement.RateBasedStatement, { Limit: 3000, EvaluationWindowSec: 300, AggregateKeyType: 'IP' });
        assert.equal(rate.Action.Block.CustomResponse.ResponseCode, 429);
        const tie = t.one('AWS::WAFv2::WebACLAssociation').properties;
        assert.equal(text(tie.WebACLArn), `{${acl.id}.Arn}`);
        assert.match(text(tie.ResourceArn), /^\{Balancer/);
      });
    });

    describe('database', () => {
      const db = t.one('AWS::RDS::DBInstance');

      it('is encrypted, private, and asks for TLS', () => {
        assert.equal(db.properties.StorageEncrypted, true);
        assert.equal(db.properties.PubliclyAccessible, false);
        assert.equal(t.one('AWS::RDS::DBParameterGroup').properties.Parameters['rds.force_ssl'], '1');
        for (const s of t.one('AWS::RDS::DBSubnetGroup').properties.SubnetIds) assert.match(text(s), /Isolated/);
      });

      it('takes tokens, and RDS keeps the owner\'s password', () => {
        assert.equal(db.properties.EnableIAMDatabaseAuthentication, true);
        assert.equal(db.properties.ManageMasterUserPassword, true);
        assert.equal(db.properties.MasterUsername, 'ridecopilot_owner');
        assert.equal(db.properties.MasterUserPassword, undefined);
      });

      it('can be taken back in time, and is not deleted by a slip', () => {
        assert.equal(db.properties.BackupRetentionPeriod, size.backupDays);
        assert.ok(size.backupDays >= 7);
        assert.equal(db.properties.DeleteAutomatedBackups, false);
        assert.equal(db.properties.DeletionProtection, true);
        assert.equal(db.deletionPolicy, 'Retain');
        assert.equal(db.properties.MultiAZ, size.multiAz);
      });

      it('shows what is slow in it', () => {
        assert.equal(db.properties.EnablePerformanceInsights, true);
        assert.equal(db.properties.PerformanceInsightsRetentionPeriod, 7);
        assert.equal(db.properties.DatabaseInsightsMode, 'standard');
      });
    });

    describe('photos', () => {
      it('lie in buckets that nobody reads without a right, over TLS alone', () => {
        const buckets = t.of('AWS::S3::Bucket');
        assert.ok(buckets.length > 0);
        for (const b of buckets) {
          assert.deepEqual(b.properties.PublicAccessBlockConfiguration, { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true });
          assert.deepEqual(b.properties.OwnershipControls, { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] });
          assert.ok(b.properties.BucketEncryption);
          assert.equal(b.deletionPolicy, 'RetainExceptOnCreate');
          const policy = statements(t.of('AWS::S3::BucketPolicy').filter((p) => text(p.properties.Bucket) === `{${b.id}}`));
          assert.ok(policy.some((s) => s.effect === 'Deny' && s.condition?.Bool?.['aws:SecureTransport'] === 'false' && s.actions[0] === 's3:*' && s.resources.length === 2));
          assert.ok(policy.some((s) => s.effect === 'Deny' && s.condition?.NumericLessThan?.['s3:TlsVersion'] === 1.2));
        }
      });

      it('are all that the distribution may read: no file of a document', () => {
        const allowed = statements(t.of('AWS::S3::BucketPolicy')).filter((s) => s.effect === 'Allow');
        assert.equal(allowed.length, 1);
        const [s] = allowed;
        assert.deepEqual(s.principal, { Service: 'cloudfront.amazonaws.com' });
        assert.deepEqual(s.actions, ['s3:GetObject']);
        assert.deepEqual(s.resources.map((r) => r.replace(/^\{[^}]*\}/, '')), ['large.jpg', 'medium.jpg', 'small.jpg'].map((n) => `/ridecopilot/media/*/${n}`));
        assert.match(text(s.condition.StringEquals['AWS:SourceArn']), /:distribution\/\{Distribution/);
      });

      it('are read by signed URLs alone, over HTTPS, and kept as long as the origin says', () => {
        const d = t.one('AWS::CloudFront::Distribution').properties.DistributionConfig;
        const b = d.DefaultCacheBehavior;
        assert.equal(d.CacheBehaviors, undefined);
        assert.equal(b.ViewerProtocolPolicy, 'https-only');
        assert.deepEqual(b.AllowedMethods, ['GET', 'HEAD']);
        assert.equal(b.TrustedKeyGroups.length, 1);
        assert.match(text(b.TrustedKeyGroups), /^\{Signers/);
        assert.equal(t.one('AWS::CloudFront::KeyGroup').properties.KeyGroupConfig.Items.length, 1);
        const [origin] = d.Origins;
        assert.match(text(origin.OriginAccessControlId), /OriginAccessControl/);
        assert.equal(origin.S3OriginConfig.OriginAccessIdentity, '');
        assert.deepEqual(t.one('AWS::CloudFront::OriginAccessControl').properties.OriginAccessControlConfig.SigningBehavior, 'always');
        assert.equal(d.ViewerCertificate.MinimumProtocolVersion, 'TLSv1.2_2021');
        assert.equal(d.Logging, undefined, 'logs would hold signed URLs (P4)');
        const cache = t.one('AWS::CloudFront::CachePolicy').properties.CachePolicyConfig;
        assert.deepEqual([cache.MinTTL, cache.DefaultTTL], [0, 0]);
        const key = cache.ParametersInCacheKeyAndForwardedToOrigin;
        assert.deepEqual([key.QueryStringsConfig.QueryStringBehavior, key.CookiesConfig.CookieBehavior, key.HeadersConfig.HeaderBehavior], ['none', 'none', 'none']);
      });

      it('have a certificate where CloudFront looks for it', () => {
        const media = t.one('AWS::CertificateManager::Certificate', (c) => c.properties.DomainName === 'media.example.com');
        assert.equal(media.stack, 'EdgeCertificate');
        assert.deepEqual(t.one('AWS::CloudFront::Distribution').properties.DistributionConfig.ViewerCertificate.AcmCertificateArn['Fn::GetStackOutput'].Region, 'us-east-1');
      });
    });

    describe('rights', () => {
      it('of the server: its prefix of the bucket, its user of the database, nothing more', () => {
        const all = policyOf(roleOf('Service', 'TaskRoleArn')).map((s) => [s.actions, s.resources.map((r) => r.replace(/[0-9A-F]{8}/g, '')), s.condition]);
        assert.deepEqual(all, [
          [['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:GetObject', 's3:PutObject'], ['{BucketArn}/ridecopilot/*'], undefined],
          [['s3:GetBucketVersioning', 's3:ListBucket', 's3:ListBucketVersions'], ['{BucketArn}'], undefined],
          [['rds-db:connect'], ['arn:aws:rds-db:eu-central-1:{AWS::AccountId}:dbuser:{DatabaseDbiResourceId}/ridecopilot'], undefined],
        ]);
      });

      it('of the migration: none', () => {
        assert.deepEqual(policyOf(roleOf('Migrate', 'TaskRoleArn')), []);
      });

      it('of what starts tasks: their image, their log, their secrets', () => {
        for (const stack of ['Service', 'Migrate']) {
          const read = policyOf(roleOf(stack, 'ExecutionRoleArn')).filter((s) => s.actions.some((a) => a.startsWith('secretsmanager:'))).flatMap((s) => s.resources);
          const wanted = Object.values<string>(secrets(stack)).map((s) => s.replace(/:[A-Za-z_]+::$/, ''));
          assert.deepEqual([...new Set(read)].sort(), [...new Set(wanted)].sort());
        }
      });

      it('of the rotation: this secret, and this service', () => {
        const fn = t.one('AWS::Lambda::Function', (f) => f.id.startsWith('Rotate'));
        const role = t.one('AWS::IAM::Role', (r) => r.stack === 'Service' && r.id === fn.properties.Role['Fn::GetAtt'][0]);
        const all = policyOf(role).flatMap((s) => s.actions.map((a) => `${a} ${s.resources.map((r) => r.replace(/[0-9A-F]{8}/g, '')).join(',')}`)).sort();
        assert.deepEqual(all.map((a) => a.replace(/\{Signing[^}]*\}/, '{Signing}')), [
          'ecs:DescribeServices {Service}', 'ecs:UpdateService {Service}',
          'logs:CreateLogStream {RotateLog.Arn}', 'logs:PutLogEvents {RotateLog.Arn}',
          'secretsmanager:DescribeSecret {Signing}', 'secretsmanager:GetSecretValue {Signing}', 'secretsmanager:PutSecretValue {Signing}', 'secretsmanager:UpdateSecretVersionStage {Signing}',
        ]);
        const rotation = t.one('AWS::SecretsManager::RotationSchedule').properties;
        assert.match(text(rotation.SecretId), /^\{Signing/);
        assert.equal(rotation.RotateImmediatelyOnUpdate, false);
        assert.ok(rotation.RotationRules.AutomaticallyAfterDays >= 7, 'far above the life of an access token');
        const permission = t.one('AWS::Lambda::Permission').properties;
        assert.equal(permission.Principal, 'secretsmanager.amazonaws.com');
        assert.equal(text(permission.SourceAccount), '{AWS::AccountId}');
      });

      it('have no star but these', () => {
        const stars = statements(t.resources).filter((s) => s.effect === 'Allow').flatMap((s) => [
          ...s.actions.filter((a) => a.includes('*')).map((a) => `${s.where}: ${a}`),
          ...s.resources.filter((r) => r.includes('*')).map((r) => `${s.actions.join(' ')} on ${r.replace(/^\{[^}]*\}/, '{Bucket}')}`),
        ]);
        assert.deepEqual([...new Set(stars)].sort(), [
          'ecr:GetAuthorizationToken on *', // it knows no resource
          's3:DeleteObject s3:DeleteObjectVersion s3:GetObject s3:PutObject on {Bucket}/ridecopilot/*', // a prefix is written so
          ...['large', 'medium', 'small'].map((n) => `s3:GetObject on {Bucket}/ridecopilot/media/*/${n}.jpg`),
        ].sort());
        for (const r of t.of('AWS::IAM::Role')) {
          assert.equal(r.properties.ManagedPolicyArns, undefined, `${r.id}: a policy of AWS's own is wider than it needs`);
        }
      });

      it('are given to services of AWS alone', () => {
        for (const r of t.of('AWS::IAM::Role')) {
          for (const s of r.properties.AssumeRolePolicyDocument.Statement) {
            assert.ok(['ecs-tasks.amazonaws.com', 'lambda.amazonaws.com', 'vpc-flow-logs.amazonaws.com'].includes(s.Principal.Service), r.id);
          }
        }
        assert.equal(t.of('AWS::IAM::User').length + t.of('AWS::IAM::AccessKey').length, 0);
      });
    });

    describe('watching', () => {
      it('keeps every log for a time', () => {
        for (const g of t.of('AWS::Logs::LogGroup')) assert.ok(g.properties.RetentionInDays > 0, g.id);
        for (const f of t.of('AWS::Lambda::Function')) assert.ok(f.properties.LoggingConfig?.LogGroup, `${f.id} would make a log of its own`);
        assert.equal(t.one('AWS::Logs::LogGroup', (g) => g.id.startsWith('TaskLog') && g.stack === 'Service').properties.RetentionInDays, size.logDays);
        assert.equal(t.one('AWS::RDS::DBInstance').properties.EnableCloudwatchLogsExports, undefined);
      });

      it('may publish what it sees', () => {
        for (const topic of t.of('AWS::SNS::Topic')) {
          const policy = statements(t.of('AWS::SNS::TopicPolicy').filter((p) => p.stack === topic.stack));
          assert.ok(policy.some((s) => s.effect === 'Allow' && text((s.principal as any).Service) === 'cloudwatch.amazonaws.com' && s.condition.StringEquals['aws:SourceAccount']));
          assert.ok(policy.some((s) => s.effect === 'Deny' && s.condition.Bool['aws:SecureTransport'] === 'false'));
          assert.equal(t.one('AWS::SNS::Subscription', (s) => s.stack === topic.stack).properties.Endpoint, 'operator@example.com');
        }
      });

      it('tells when the month becomes dear', () => {
        const b = t.one('AWS::Budgets::Budget').properties;
        assert.deepEqual(b.Budget.BudgetLimit, { Amount: size.monthlyBudget, Unit: 'USD' });
        assert.deepEqual(b.NotificationsWithSubscribers.map((n: any) => [n.Notification.NotificationType, n.Notification.Threshold]), [['ACTUAL', 80], ['FORECASTED', 100]]);
      });

      it('warns of connections before there are too many', () => {
        const alarm = t.one('AWS::CloudWatch::Alarm', (a) => a.properties.AlarmName === 'ridecopilot-database-connections').properties;
        assert.ok(alarm.Threshold < size.maxConnections - reservedConnections);
        assert.ok(alarm.Threshold > size.maxTasks * connectionsPerServer, 'all tasks at once are no reason');
      });
    });

    it('has names for IPv4 and IPv6', () => {
      const records = t.of('AWS::Route53::RecordSet').map((r) => `${r.properties.Type} ${r.properties.Name}`).sort();
      assert.deepEqual(records, ['A api.example.com.', 'A media.example.com.', 'AAAA api.example.com.', 'AAAA media.example.com.']);
      assert.equal(t.one('AWS::ElasticLoadBalancingV2::LoadBalancer').properties.IpAddressType, 'dualstack');
    });

    it('keeps images that were tested as they are', () => {
      const images = t.one('AWS::ECR::Repository');
      assert.equal(images.properties.ImageTagMutability, 'IMMUTABLE');
      assert.equal(images.properties.ImageScanningConfiguration.ScanOnPush, true);
      assert.equal(images.deletionPolicy, 'RetainExceptOnCreate');
    });

    it('has nothing secret in its templates', () => {
      assert.equal(/PRIVATE KEY|"MasterUserPassword"|AKIA[A-Z0-9]{16}|"SecretString"/.exec(JSON.stringify(t.templates))?.[0], undefined);
      for (const s of t.of('AWS::SecretsManager::Secret')) assert.deepEqual(s.properties.GenerateSecretString, {});
    });

    it('asks for the tag of the image, and has no other parameter', () => {
      for (const [stack, template] of Object.entries(t.templates)) {
        const own = Object.keys(template.Parameters ?? {}).filter((p) => p !== 'BootstrapVersion');
        assert.deepEqual(own, ['Migrate', 'Service'].includes(stack) ? ['ImageTag'] : []);
        if (own.length > 0) assert.equal(template.Parameters.ImageTag.Default, undefined, 'a first deployment has to say it');
      }
    });

    it('is deployed in an order that an empty account takes', () => {
      // The order of README.md. An image is there before a stack needs one, a zone before a certificate.
      const order = ['Dns', 'EdgeCertificate', 'Network', 'Data', 'Media', 'Migrate', 'Service'];
      assert.deepEqual(Object.keys(t.templates).sort(), [...order].sort());
      const wanted: Record<string, string[]> = {
        Dns: [], EdgeCertificate: ['Dns'], Network: [], Data: ['Network'], Media: ['Dns', 'EdgeCertificate'],
        Migrate: ['Data', 'Network'], Service: ['Data', 'Dns', 'Media', 'Migrate', 'Network'],
      };
      assert.deepEqual(Object.fromEntries(order.map((s) => [s, [...t.dependencies[s]].sort()])), wanted);
    });

    it('pins no stack by exports: each can be changed alone', () => {
      for (const [stack, template] of Object.entries<any>(t.templates)) {
        for (const [id, o] of Object.entries<any>(template.Outputs ?? {})) assert.equal(o.Export, undefined, `${stack}/${id}`);
      }
    });
  });
}

describe('settings', () => {
  it('a zone that is there is used, and none made', () => {
    const t = synth({ hostedZoneId: 'Z0123456789ABC' });
    assert.equal(t.templates.Dns, undefined);
    assert.equal(t.of('AWS::Route53::HostedZone').length, 0);
    for (const r of t.of('AWS::Route53::RecordSet')) assert.equal(r.properties.HostedZoneId, 'Z0123456789ABC');
  });

  it('the switch of the standby, whatever the size', () => {
    assert.equal(synth({ size: 'small', multiAz: true }).one('AWS::RDS::DBInstance').properties.MultiAZ, true);
    assert.equal(synth({ size: 'standard', multiAz: false }).one('AWS::RDS::DBInstance').properties.MultiAZ, false);
  });

  it('several keys of photos: all count, the first signs', () => {
    const t = synth({ mediaKeys: ['b', 'a'], waf: false, origins: [] });
    assert.match(text(t.one('AWS::CloudFront::KeyGroup').properties.KeyGroupConfig.Items), /PublicKeyb.*PublicKeya/);
    const c = t.one('AWS::ECS::TaskDefinition', (r) => r.stack === 'Service').properties.ContainerDefinitions[0];
    const value = (list: any[], name: string, field: string) => text(list.find((e) => e.Name === name)?.[field]);
    assert.match(value(c.Environment, 'CLOUDFRONT_KEY_ID', 'Value'), /PublicKeyb/);
    assert.match(value(c.Secrets, 'CLOUDFRONT_PRIVATE_KEY', 'ValueFrom'), /PrivateKeyb/);
    // The other two of this synthesis.
    assert.equal(t.of('AWS::WAFv2::WebACL').length + t.of('AWS::WAFv2::WebACLAssociation').length, 0);
    assert.equal(t.one('AWS::S3::Bucket').properties.CorsConfiguration, undefined);
    assert.equal(c.Environment.find((e: any) => e.Name === 'CORS_ALLOWED_ORIGINS'), undefined);
  });

  it('older photos: the server may read and remove them, and readers see them', () => {
    const t = synth({ olderPhotos: 'uploads/' });
    const on = statements(t.resources).filter((s) => s.resources.some((r) => r.endsWith('}/uploads/*'))).flatMap((s) => s.actions);
    assert.deepEqual(on.sort(), ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:GetObject', 's3:GetObject']);
  });
});
