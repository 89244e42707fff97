import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { startEngine } from '../../lib/local/engine.ts'

/** An empty DynamoDB in memory, until the end of the block that uses it. */
export async function engine(): Promise<AsyncDisposable & { readonly endpoint: string }> {
  const { endpoint, stop } = await startEngine()
  return { endpoint, [Symbol.asyncDispose]: stop }
}

const MILLISECONDS_TO_END = 5_000

/** `npm start` on a free port, in a process of its own, until the end of the block that uses it. */
export async function server(
  options: readonly string[],
  nodeOptions: readonly string[] = [],
): Promise<AsyncDisposable & { readonly url: string }> {
  const args = [...nodeOptions, 'functions/local.ts', '--port', '0', ...options]
  const root = new URL('../..', import.meta.url)
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => child.kill()
  process.on('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  return { url: await urlOf(child), [Symbol.asyncDispose]: () => end(child) }
}

async function urlOf(child: ChildProcess): Promise<string> {
  if (child.stdout)
    for await (const line of createInterface(child.stdout)) {
      const [, url] = /^CMQ listening on (\S+)$/.exec(line) ?? []
      if (url !== undefined) return url
    }
  throw new Error('the local server did not start')
}

/** Asks the server to end, so that it ends its engine, and waits for it. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const late = setTimeout(() => child.kill('SIGKILL'), MILLISECONDS_TO_END)
  child.kill()
  await once(child, 'exit')
  clearTimeout(late)
}
