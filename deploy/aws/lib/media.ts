import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import * as origins from 'aws-cdk-lib/aws-cloudfront-origins';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as targets from 'aws-cdk-lib/aws-route53-targets';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { accountOf, Keys, notRotated } from './keys.ts';
import { explain } from './nag.ts';
import { type Named, zoneOf } from './names.ts';
import { outputs } from './outputs.ts';

/** Below this are all keys that the server makes (internal/media/media.go). */
export const ownPrefix = 'ridecopilot/';

/** What is shown of a photo. Files of documents lie beside them, under another name, and are never read through CloudFront. */
export const photoNames = ['large.jpg', 'medium.jpg', 'small.jpg'];

/** The bucket of photos and files, and the way by which photos are read. */
export class Media extends Stack {
  readonly bucket: s3.Bucket;
  readonly host: string;
  /** Of the key that signs. */
  readonly keyId: string;
  readonly privateKey: secretsmanager.Secret;

  constructor(scope: Construct, id: string, props: StackProps & Named & { certificate: acm.ICertificate }) {
    super(scope, id, props);
    const { config } = props;
    this.host = `media.${config.domain}`;

    // The rules are those of `ridecopilot storage setup` (internal/bucket/s3/setup.go),
    // under the same names, so that it finds them in place.
    const tidy = { enabled: true, abortIncompleteMultipartUploadAfter: Duration.days(1), noncurrentVersionExpiration: Duration.days(1) };
    this.bucket = new s3.Bucket(this, 'Bucket', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      cors: config.origins.length === 0 ? undefined : [{
        id: 'ridecopilot-cors',
        allowedOrigins: config.origins,
        allowedMethods: [s3.HttpMethods.POST, s3.HttpMethods.GET, s3.HttpMethods.HEAD],
        allowedHeaders: ['*'],
        exposedHeaders: ['ETag'],
        maxAge: 600,
      }],
      lifecycleRules: [
        { id: 'ridecopilot-uploads', prefix: `${ownPrefix}uploads/`, expiration: Duration.days(2), ...tidy },
        { id: 'ridecopilot-media', prefix: `${ownPrefix}media/`, expiredObjectDeleteMarker: true, ...tidy },
      ],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    explain(this.bucket, {
      'AwsSolutions-S1': 'Access logs would hold signed URLs, which the server promises to keep out of logs (P4). Who needs a record turns on data events of CloudTrail, which leave signatures out.',
    });

    const keys = new Keys(this, 'Keys');
    const pairs = config.mediaKeys.map((name) => {
      const secret = new secretsmanager.Secret(this, `PrivateKey-${name}`, { description: `Ridecopilot: private key ${name} of photos' URLs` });
      notRotated(secret, 'A key is changed in three deployments, so that URLs in use stay good (README.md, Secrets).');
      const filled = keys.fill(`Pair-${name}`, 'media-key', secret);
      return { secret, key: new cloudfront.PublicKey(this, `PublicKey-${name}`, { encodedKey: filled.getAttString('PublicKey') }) };
    });
    [{ secret: this.privateKey }] = pairs;
    this.keyId = pairs[0].key.publicKeyId;

    // Looked at as somebody else's bucket, so that CDK leaves its policy to us:
    // its own would open all objects to the distribution, documents among them.
    const origin = origins.S3BucketOrigin.withOriginAccessControl(s3.Bucket.fromBucketAttributes(this, 'Origin', {
      bucketArn: this.bucket.bucketArn, bucketRegionalDomainName: this.bucket.bucketRegionalDomainName,
    }));
    const distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: 'Photos of Ridecopilot, by signed URLs alone',
      domainNames: [this.host],
      certificate: props.certificate,
      minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      priceClass: cloudfront.PriceClass.PRICE_CLASS_100,
      enableIpv6: true,
      defaultBehavior: {
        origin,
        allowedMethods: cloudfront.AllowedMethods.ALLOW_GET_HEAD,
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
        trustedKeyGroups: [new cloudfront.KeyGroup(this, 'Signers', { items: pairs.map((p) => p.key) })],
        compress: false, // JPEG
        // What the origin says (a minute at the edge, ADR 10) and nothing where it
        // says nothing. The key is the path: a signature is checked, and not kept.
        cachePolicy: new cloudfront.CachePolicy(this, 'Caching', {
          comment: 'As the origin says',
          minTtl: Duration.seconds(0), defaultTtl: Duration.seconds(0), maxTtl: Duration.days(1),
          queryStringBehavior: cloudfront.CacheQueryStringBehavior.none(),
          headerBehavior: cloudfront.CacheHeaderBehavior.none(),
          cookieBehavior: cloudfront.CacheCookieBehavior.none(),
        }),
        responseHeadersPolicy: new cloudfront.ResponseHeadersPolicy(this, 'Headers', {
          comment: 'Photos are inert, and web clients show them',
          corsBehavior: config.origins.length === 0 ? undefined : {
            accessControlAllowOrigins: config.origins, accessControlAllowMethods: ['GET', 'HEAD'], accessControlAllowHeaders: ['*'],
            accessControlAllowCredentials: false, originOverride: true,
          },
          customHeadersBehavior: { customHeaders: [{ header: 'Cross-Origin-Resource-Policy', value: 'cross-origin', override: true }] },
          securityHeadersBehavior: {
            contentTypeOptions: { override: true },
            contentSecurityPolicy: { contentSecurityPolicy: "default-src 'none'; sandbox; frame-ancestors 'none'", override: true },
            strictTransportSecurity: { accessControlMaxAge: Duration.days(365), override: true },
            referrerPolicy: { referrerPolicy: cloudfront.HeadersReferrerPolicy.NO_REFERRER, override: true },
          },
        }),
      },
    });
    explain(distribution, {
      'AwsSolutions-CFR1': 'Drivers travel; the service is for wherever they are.',
      'AwsSolutions-CFR2': 'Without a signature of the server nothing is read, and the server limits who gets one; a firewall would count what is refused anyway.',
      'AwsSolutions-CFR3': 'Access logs would hold signed URLs, which the server promises to keep out of logs (P4).',
      'Annotation::@aws-cdk/aws-cloudfront-origins:updateImportedBucketPolicyOac': 'The policy of the bucket is right below.',
    });
    this.bucket.addToResourcePolicy(new iam.PolicyStatement({
      sid: 'PhotosThroughCloudFront',
      principals: [new iam.ServicePrincipal('cloudfront.amazonaws.com')],
      actions: ['s3:GetObject'],
      resources: [
        ...photoNames.map((name) => this.bucket.arnForObjects(`${ownPrefix}media/*/${name}`)),
        ...(config.olderPhotos === '' ? [] : [this.bucket.arnForObjects(`${config.olderPhotos}*`)]),
      ],
      conditions: { StringEquals: { 'AWS:SourceArn': `arn:aws:cloudfront::${accountOf(this)}:distribution/${distribution.distributionId}` } },
    }));

    const alias = { zone: zoneOf(this, props), recordName: 'media', target: route53.RecordTarget.fromAlias(new targets.CloudFrontTarget(distribution)) };
    new route53.ARecord(this, 'A', alias);
    new route53.AaaaRecord(this, 'Aaaa', alias);
    outputs(this, { Bucket: this.bucket.bucketName });
  }
}
