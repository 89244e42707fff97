import { aws_lambda as lambda, Stage } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { built } from './built.ts'

/**
 * A file of the project as the code of a function: one minified ES module, index.mjs, with all that it imports. The AWS
 * SDK is inside, so that what runs is the version that was tested; it also loads faster than the many files of Lambda's.
 */
export function bundle(scope: Construct, file: string): lambda.Code {
  const directory = join(Stage.of(scope)?.outdir ?? 'cdk.out', 'bundles', basename(file, '.ts'))
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'index.mjs'), built(file))
  return lambda.Code.fromAsset(directory)
}
