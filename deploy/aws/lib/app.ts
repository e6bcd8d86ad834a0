import { type App, Tags } from 'aws-cdk-lib';
import type { Config } from './config.ts';
import { Data } from './data.ts';
import { Media } from './media.ts';
import { Migrate } from './migrate.ts';
import { Dns, EdgeCertificate } from './names.ts';
import { Network } from './network.ts';
import { Service } from './service.ts';

/**
 * Puts the stacks together, each after those that it needs:
 *
 *   Dns              the zone, unless there is one
 *   EdgeCertificate  of photos' host, in us-east-1
 *   Network          who may talk to whom
 *   Data             images, database, secrets
 *   Media            bucket and CloudFront
 *   Migrate          the cluster, and the task that migrates
 *   Service          the servers, the balancer, alarms
 */
export function build(app: App, config: Config): void {
  const env = { region: config.region };
  const id = (name: string) => `Ridecopilot-${name}`;
  const dns = config.hostedZoneId === ''
    ? new Dns(app, id('Dns'), { env, config, terminationProtection: true, description: 'Ridecopilot: the zone of the domain' })
    : undefined;

  const edge = new EdgeCertificate(app, id('EdgeCertificate'), { env: { region: 'us-east-1' }, config, dns, description: 'Ridecopilot: the certificate of CloudFront' });
  const network = new Network(app, id('Network'), { env, config, description: 'Ridecopilot: the network' });
  const data = new Data(app, id('Data'), { env, config, network, terminationProtection: true, description: 'Ridecopilot: images, database, secrets' });
  const media = new Media(app, id('Media'), { env, config, dns, certificate: edge.certificate, terminationProtection: true, description: 'Ridecopilot: photos and files' });
  const migrate = new Migrate(app, id('Migrate'), { env, config, data, network, description: 'Ridecopilot: the migration before a release' });
  new Service(app, id('Service'), { env, config, network, data, media, cluster: migrate.cluster, dns, description: 'Ridecopilot: the servers' });

  Tags.of(app).add('app', 'ridecopilot');
}
