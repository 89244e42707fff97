import { type BuildOptions, buildSync } from 'esbuild'
import { join } from 'node:path'

/** Where the files of the project are. */
export const root = join(import.meta.dirname, '..')

/** What this process has built, by file: stacks may be many. */
const bundled = new Map<string, Uint8Array>()

/** A file of the project with all that it imports, as one minified ES module. */
export function built(file: string): Uint8Array {
  const contents = bundled.get(file) ?? build({ entryPoints: [file] })
  bundled.set(file, contents)
  return contents
}

/**
 * Ways to find credentials on a developer's machine. The SDK imports one when it has found none before, and a function
 * always has its own in its environment.
 */
const neverUsed = ['ini', 'process', 'sso', 'web-identity'].map((name) => `@aws-sdk/credential-provider-${name}`)

/**
 * Importing node:http reads each of its exports, and one of them loads all of undici, which nothing here uses: a third
 * of a cold start. Modules that are got by a call are not read like that.
 */
const lazily = Object.fromEntries(
  ['http', 'https'].flatMap((name) => [name, `node:${name}`].map((module) => [module, `./cdk/builtins/${name}.cts`])),
)

/** What is bundled: a file of the project, or what is written here as if it were one. */
type Entry = Pick<BuildOptions, 'entryPoints' | 'stdin' | 'alias'>

/** A minified ES module with all that the entry imports. */
export function build(entry: Entry): Uint8Array {
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    bundle: true,
    minify: true,
    legalComments: 'none',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // The SDK's ES modules, of which only what is used goes in.
    mainFields: ['module', 'main'],
    external: neverUsed,
    alias: lazily,
    // What is CommonJS calls `require`, which an ES module does not have.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    ...entry,
    write: false,
  })
  return Buffer.concat(outputFiles.map(({ contents }) => contents))
}
