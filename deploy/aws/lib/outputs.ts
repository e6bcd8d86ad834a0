import { CfnOutput, type Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';

/** What the scripts `release` and `run`, and the operator, ask a stack for. */
export function outputs(stack: Stack, values: Record<string, string>): void {
  const scope = new Construct(stack, 'Outputs'); // apart from resources of the same name
  for (const [name, value] of Object.entries(values)) new CfnOutput(scope, name, { value }).overrideLogicalId(name);
}
