import { aws_lambda as lambda, Stage } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { buildSync } from 'esbuild'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/**
 * A file of the project as the code of a function: one minified ES module, index.mjs, with all that it imports. The AWS
 * SDK is inside, so that what runs is the version that was tested; it also loads faster than the many files of Lambda's.
 */
export function bundle(scope: Construct, file: string): lambda.Code {
  const contents = bundled.get(file) ?? build(file)
  bundled.set(file, contents)
  const directory = join(Stage.of(scope)?.outdir ?? 'cdk.out', 'bundles', basename(file, '.ts'))
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'index.mjs'), contents)
  return lambda.Code.fromAsset(directory)
}

/** What this process has built, by file: stacks may be many. */
const bundled = new Map<string, Uint8Array>()

/**
 * Ways to find credentials on a developer's machine. The SDK imports one when it has found none before, and a function
 * always has its own in its environment.
 */
const neverUsed = ['ini', 'process', 'sso', 'web-identity'].map((name) => `@aws-sdk/credential-provider-${name}`)

function build(file: string): Uint8Array {
  const { outputFiles } = buildSync({
    absWorkingDir: join(import.meta.dirname, '..'),
    entryPoints: [file],
    write: false,
    bundle: true,
    minify: true,
    legalComments: 'none',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // The SDK's ES modules, of which only what is used goes in.
    mainFields: ['module', 'main'],
    external: neverUsed,
    // What is CommonJS calls `require`, which an ES module does not have.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  })
  return Buffer.concat(outputFiles.map(({ contents }) => contents))
}
