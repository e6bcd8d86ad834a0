/** Runs all tests in one process: loading CDK takes longer than most of them. */

import { readdirSync } from 'node:fs';

const folder = new URL('.', import.meta.url);
for (const file of readdirSync(folder).sort()) {
  if (file.endsWith('.test.ts')) await import(new URL(file, folder).href);
}
