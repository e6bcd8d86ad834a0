/** What is said here and in the server's own code has to be the same. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { photoNames } from '../lib/media.ts';
import { connectionsPerServer } from '../lib/sizes.ts';
import { synth } from './synth.ts';

const source = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** What a pattern finds in a file, which has to be there. */
function find(path: string, pattern: RegExp): string {
  const found = pattern.exec(source(path));
  assert.ok(found, `${path} has nothing like ${pattern}: look what has become of it`);
  return found[1];
}

const words = (list: string) => [...list.matchAll(/"([^"]*)"/g)].map((m) => m[1]);
const t = synth({});
const setup = 'internal/bucket/s3/setup.go';
const media = 'internal/media/media.go';
const ours = find(setup, /const ours = "(.*?)"/);
const own = find(media, /const own = "(.*?)"/);

describe('the bucket has the rules of `ridecopilot storage setup`', () => {
  const bucket = t.one('AWS::S3::Bucket').properties;

  it('for pages that upload', () => {
    assert.deepEqual(bucket.CorsConfiguration.CorsRules, [{
      Id: `${ours}${find(setup, /ID: +aws\.String\(ours \+ "(.*?)"\)/)}`,
      AllowedOrigins: ['https://app.example.com'],
      AllowedMethods: words(find(setup, /AllowedMethods: \[\]string\{(.*?)\}/)),
      AllowedHeaders: words(find(setup, /AllowedHeaders: \[\]string\{(.*?)\}/)),
      ExposedHeaders: words(find(setup, /ExposeHeaders: +\[\]string\{(.*?)\}/)),
      MaxAge: Number(find(setup, /MaxAgeSeconds: +aws\.Int32\((\d+)\)/)),
    }]);
  });

  it('for what is left behind', () => {
    const both = {
      Status: 'Enabled',
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: Number(find(setup, /DaysAfterInitiation: aws\.Int32\((\d+)\)/)) },
      NoncurrentVersionExpiration: { NoncurrentDays: Number(find(setup, /NoncurrentDays: aws\.Int32\((\d+)\)/)) },
    };
    assert.deepEqual(bucket.LifecycleConfiguration.Rules, [
      {
        Id: `${ours}${find(setup, /rule\("(\w+)", p\.Uploads,/)}`, Prefix: own + find(media, /func UploadsPrefix.*OwnPrefix\(prefix\) \+ "(.*?)"/),
        ExpirationInDays: Number(find(setup, /p\.Uploads, types\.LifecycleExpiration\{Days: aws\.Int32\((\d+)\)\}/)), ...both,
      },
      {
        Id: `${ours}${find(setup, /rule\("(\w+)", p\.Media,/)}`, Prefix: own + find(media, /func KeptPrefix.*OwnPrefix\(prefix\) \+ "(.*?)"/),
        ExpiredObjectDeleteMarker: find(setup, /p\.Media, types\.LifecycleExpiration\{ExpiredObjectDeleteMarker: aws\.Bool\((\w+)\)\}/) === 'true', ...both,
      },
    ]);
  });

  it('and CloudFront reads what the server calls a photo, and nothing else', () => {
    const name = (n: string) => find(media, new RegExp(`\\s${n} += "(.*?)"`));
    assert.deepEqual(photoNames, ['largeName', 'mediumName', 'smallName'].map(name));
    assert.ok(!photoNames.includes(name('fileName')) && !photoNames.includes(name('originalName')));
  });
});

describe('the server', () => {
  const tasks = t.of('AWS::ECS::TaskDefinition').flatMap((r) => r.properties.ContainerDefinitions);

  it('knows every setting that it is given', () => {
    const known = new Set([...source('cmd/ridecopilot/config.go').matchAll(/\{name: "([A-Z0-9_]+)"/g)].map((m) => m[1]));
    assert.ok(known.size > 20);
    // Of Go, and of the driver of PostgreSQL.
    for (const name of ['GOMEMLIMIT', 'PGPASSWORD']) known.add(name);
    for (const c of tasks) {
      for (const { Name } of [...c.Environment, ...c.Secrets]) assert.ok(known.has(Name), `${Name} is no setting`);
    }
  });

  it('is told where it is reached, since its image listens on all addresses', () => {
    assert.equal(find('Dockerfile', /ADDR=(\S+)/), '0.0.0.0:8000');
    for (const c of tasks) assert.ok(c.Environment.some((e: any) => e.Name === 'PUBLIC_URL'), c.Command.join(' '));
  });

  it('has the rights on the bucket that docs/operations.md lists', () => {
    const block = source('docs/operations.md').split('```').find((b) => b.startsWith('json') && b.includes('s3:ListBucketVersions'));
    assert.ok(block, 'docs/operations.md has no policy of the bucket');
    const role = t.one('AWS::IAM::Policy', (p) => p.stack === 'Service' && p.id.startsWith('TaskTaskRole')).properties.PolicyDocument.Statement;
    const mine = role.flatMap((s: any) => s.Action).filter((a: string) => a.startsWith('s3:'));
    assert.deepEqual(mine.sort(), [...new Set(block.match(/s3:\w+/g))].sort());
  });

  it('opens as many connections as the database is measured for', () => {
    assert.equal(Number(find('docs/operations.md', /at most (\d+)\s+connections/)), connectionsPerServer);
  });
});
