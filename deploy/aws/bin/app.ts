import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { build } from '../lib/app.ts';
import { ConfigError, exampleDomain, load } from '../lib/config.ts';

const app = new App();
try {
  const config = load(new URL('../config.json', import.meta.url), (name) => app.node.tryGetContext(name));
  if (config.domain === exampleDomain) {
    console.error(`The domain is ${exampleDomain}: this can be looked at, and not deployed. See config.json in README.md.`);
  }
  build(app, config);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} catch (e) {
  if (!(e instanceof ConfigError)) throw e;
  console.error(e.message);
  process.exit(1);
}
