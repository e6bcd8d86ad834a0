import { CfnOutput, Fn, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as route53 from 'aws-cdk-lib/aws-route53';
import type { Construct } from 'constructs';
import { Alarms } from './alarms.ts';
import type { Config } from './config.ts';

/** A new zone for the domain, whose name servers the registrar has to be told. */
export class Dns extends Stack {
  readonly zone: route53.PublicHostedZone;

  constructor(scope: Construct, id: string, props: StackProps & { config: Config }) {
    super(scope, id, props);
    this.zone = new route53.PublicHostedZone(this, 'Zone', { zoneName: props.config.domain });
    this.zone.applyRemovalPolicy(RemovalPolicy.RETAIN);
    new CfnOutput(this, 'NameServers', { value: Fn.join(' ', this.zone.hostedZoneNameServers!), description: 'For the registrar of the domain' });
  }
}

/** The zone in the eyes of a stack: that of the stack Dns, or the one that was there before. */
export function zoneOf(scope: Construct, { config, dns }: Named): route53.IPublicHostedZone {
  return dns?.zone ?? route53.PublicHostedZone.fromPublicHostedZoneAttributes(scope, 'Zone', { hostedZoneId: config.hostedZoneId, zoneName: config.domain });
}

/** What a stack with names in the zone needs. */
export interface Named {
  config: Config;
  /** Undefined when the zone was there before. */
  dns: Dns | undefined;
}

/** The certificate of the host that photos are read from. CloudFront takes those of us-east-1 alone. */
export class EdgeCertificate extends Stack {
  readonly certificate: acm.Certificate;

  constructor(scope: Construct, id: string, props: StackProps & Named) {
    super(scope, id, props);
    this.certificate = new acm.Certificate(this, 'Certificate', {
      domainName: `media.${props.config.domain}`,
      validation: acm.CertificateValidation.fromDns(zoneOf(this, props)),
    });
    // An alarm and whom it tells are in the region of what they look at.
    new Alarms(this, 'Alarms', props.config).certificate('certificate-media', this.certificate);
  }
}
