/** Synthesises the app for tests. */

import { App } from 'aws-cdk-lib';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../lib/app.ts';
import { parse, type Config } from '../lib/config.ts';

export interface Resource {
  stack: string;
  id: string;
  type: string;
  properties: Record<string, any>;
  deletionPolicy?: string;
}

export interface Synthesised {
  app: App;
  config: Config;
  resources: Resource[];
  /** By stack, without Ridecopilot-. */
  templates: Record<string, any>;
  dependencies: Record<string, string[]>;
  /** The resources of a type. */
  of(type: string): Resource[];
  /** The only resource of a type, or of those that fit. */
  one(type: string, fits?: (r: Resource) => boolean): Resource;
}

/** The app with settings as in config.json, and the context of cdk.json. */
export function construct(settings: Partial<Config>, outdir?: string, more: Record<string, unknown> = {}): { app: App; config: Config } {
  const { context } = JSON.parse(readFileSync(new URL('../cdk.json', import.meta.url), 'utf8'));
  const app = new App({ context: { ...context, ...more }, outdir, analyticsReporting: false });
  const config = parse(settings);
  build(app, config);
  return { app, config };
}

/** Runs something with a folder that is gone afterwards. */
export function inFolder<T>(run: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'ridecopilot-cdk-'));
  try {
    return run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function synth(settings: Partial<Config>): Synthesised {
  return inFolder((outdir) => read(settings, outdir));
}

function read(settings: Partial<Config>, outdir: string): Synthesised {
  // CDK's own rules take their time: `cdk synth` and nag.test.ts ask for them.
  const { app, config } = construct(settings, outdir, { '@aws-cdk/core:validateAgainstDefaultRules': false });
  const assembly = app.synth();
  const resources: Resource[] = [];
  const templates: Record<string, any> = {};
  const dependencies: Record<string, string[]> = {};
  const short = (name: string) => name.replace('Ridecopilot-', '');
  for (const s of assembly.stacks) {
    const stack = short(s.stackName);
    templates[stack] = s.template;
    dependencies[stack] = s.dependencies.map((d) => short(d.id)).filter((d) => !d.endsWith('.assets'));
    for (const [id, r] of Object.entries<any>(s.template.Resources)) {
      resources.push({ stack, id, type: r.Type, properties: r.Properties ?? {}, deletionPolicy: r.DeletionPolicy });
    }
  }
  const of = (type: string) => resources.filter((r) => r.type === type);
  return {
    app, config, resources, templates, dependencies, of,
    one(type, fits = () => true) {
      const [first, ...others] = of(type).filter(fits);
      if (first === undefined || others.length > 0) throw new Error(`${1 + others.length - (first ? 0 : 1)} resources of ${type}, one is expected`);
      return first;
    },
  };
}

/** The statements of all policies that a role has, and of policies on resources. */
export interface Statement {
  where: string;
  effect: string;
  actions: string[];
  resources: string[];
  principal: unknown;
  condition: any;
}

const list = (v: unknown): unknown[] => (v === undefined ? [] : Array.isArray(v) ? v : [v]);

/** A value of a template as a text in which what is known later stands in braces. */
export function text(v: any): string {
  if (typeof v !== 'object' || v === null) return String(v);
  if (Array.isArray(v)) return v.map(text).join(',');
  const [fn, arg] = Object.entries<any>(v)[0];
  switch (fn) {
    case 'Fn::Join': return arg[1].map(text).join(arg[0]);
    case 'Ref': return `{${arg}}`;
    case 'Fn::GetAtt': return `{${arg.join('.')}}`;
    case 'Fn::GetStackOutput': return `{${arg.OutputName.replace(/^PublishOutput(Ref|FnGetAtt)/, '')}}`;
    default: return JSON.stringify(v);
  }
}

export function statements(resources: Resource[]): Statement[] {
  const found: Statement[] = [];
  const add = (where: string, doc: any) => {
    for (const s of list(doc?.Statement) as any[]) {
      found.push({
        where, effect: s.Effect, actions: list(s.Action).map(String), resources: list(s.Resource).map(text), principal: s.Principal, condition: s.Condition,
      });
    }
  };
  for (const r of resources) {
    add(`${r.stack}/${r.id}`, r.properties.PolicyDocument);
    add(`${r.stack}/${r.id}`, r.properties.RepositoryPolicyText);
    add(`${r.stack}/${r.id}`, r.properties.ResourcePolicy);
    for (const p of r.properties.Policies ?? []) add(`${r.stack}/${r.id}`, p.PolicyDocument);
  }
  return found;
}
