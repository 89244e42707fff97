import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OwnedDirectory, ownDirectory, ownedElsewhere } from '../../lib/local/data-directory.ts'
import { startEngine } from '../../lib/local/engine.ts'
import { LocalError } from '../../lib/local/local-error.ts'
import { identify } from '../../lib/local/processes.ts'
import { engineKinds } from '../support/engine.ts'

let parent = ''
let directory = ''
const owned: OwnedDirectory[] = []
const children: ChildProcess[] = []

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'data-'))
  directory = join(parent, 'of a server', '.cmq')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(owned.splice(0).map(({ release }) => release()))
  await rm(parent, { recursive: true })
})

async function own(): Promise<OwnedDirectory> {
  const mine = await ownDirectory(directory)
  owned.push(mine)
  return mine
}

const href = (file: string) => new URL(`../../lib/local/${file}`, import.meta.url).href

/** What a server does first; it prints what it has come to, and then waits to be killed. */
const server = `
  import { ownDirectory } from '${href('data-directory.ts')}'
  import { startEngine } from '${href('engine.ts')}'
  const [, directory, ...wishes] = process.argv
  const say = (fields) => console.log(JSON.stringify(fields))
  setInterval(() => {}, 1_000_000)
  try {
    const { databaseFile, noteEngine } = await ownDirectory(directory)
    if (!wishes.includes('engine')) say({ owns: true })
    else {
      const engine = await startEngine({ databaseFile, kind: wishes[1] })
      if (!wishes.includes('unnoted')) await noteEngine(engine)
      say({ owns: true, engine: engine.pid, endpoint: engine.endpoint })
    }
  } catch (error) {
    say({ owns: false, message: error.message })
  }
`

/** A real server process, and what it says once it owns the directory or is refused. */
async function serverProcess(...wishes: string[]) {
  const args = ['--input-type=module', '-e', server, directory, ...wishes]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const said = JSON.parse(line) as { owns: boolean; message?: string; engine?: number; endpoint?: string }
  return { ...said, pid: child.pid ?? 0, kill: () => killed(child) }
}

async function killed(child: ChildProcess) {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

const inUseBy = (pid: number) => `data directory ${directory} is in use by the server with process id ${pid}`

describe('given a directory that nobody owns', () => {
  it('when it is owned, then it is made, and whoever releases it leaves no trace of being its owner', async () => {
    const { databaseFile, release } = await own()
    expect(databaseFile).toBe(join(directory, 'dynamodb.sqlite'))
    expect(await readdir(directory)).toContain('owner.json')
    await release()
    expect(await readdir(directory)).toEqual(['lock'])
    await own()
  })

  it('when two ways to write it are owned, then the second is refused', async () => {
    await own()
    await expect(ownDirectory(`${directory}/../.cmq/`)).rejects.toThrow('is in use by the server with process id')
  })

  it('when it is a file, or lies in one, then that is said in one line', async () => {
    const file = join(parent, 'file')
    await writeFile(file, '')
    for (const path of [file, join(file, 'directory')]) {
      await expect(ownDirectory(path)).rejects.toThrow(LocalError)
      await expect(ownDirectory(path)).rejects.toThrow(/^data directory .* cannot be used: [^\n]+$/)
    }
  })

  it.each(['', '{"ser', 'null', '7', '{"server":"x","engine":{"pid":0}}', 'x'.repeat(5_000)])(
    'when its files hold rubbish (%#), then it is owned',
    async (rubbish) => {
      await (await own()).release()
      await writeFile(join(directory, 'lock'), rubbish)
      await writeFile(join(directory, 'owner.json'), rubbish)
      await own()
      await expect(ownDirectory(directory)).rejects.toThrow(inUseBy(process.pid))
    },
  )
})

describe('given a server that owns the directory', () => {
  it('when another one starts, then it is refused and told by whom', async () => {
    const first = await serverProcess()
    expect(first.owns).toBe(true)
    const second = await serverProcess()
    expect(second).toMatchObject({ owns: false, message: inUseBy(first.pid) })
    await expect(ownDirectory(directory)).rejects.toEqual(new LocalError(inUseBy(first.pid)))
  })

  it('when it is suspended, then it owns the directory still', async () => {
    const { pid } = await serverProcess()
    process.kill(pid, 'SIGSTOP')
    await expect(ownDirectory(directory)).rejects.toThrow(inUseBy(pid))
  })

  it('when it cannot be read who it is, then another one is refused all the same', async () => {
    await serverProcess()
    await writeFile(join(directory, 'owner.json'), '')
    await expect(ownDirectory(directory)).rejects.toThrow(`data directory ${directory} is in use by another server`)
  })
})

describe('given a server that was killed', () => {
  it.each(
    engineKinds().flatMap(
      (kind) =>
        [
          [kind, 'noted'],
          [kind, 'unnoted'],
        ] as const,
    ),
  )('when its engine %s, %s, is still there, then it is ended before the next one owns', async (kind, noted) => {
    const { engine = 0, kill } = await serverProcess('engine', kind, noted)
    await kill()
    expect(identify(engine)).toBeDefined()
    await own()
    expect(identify(engine)).toBeUndefined()
  })

  it('when its engine is suspended, then it is ended all the same', async () => {
    const { engine = 0, kill } = await serverProcess('engine', 'dynoxide')
    process.kill(engine, 'SIGSTOP')
    await kill()
    await own()
    expect(identify(engine)).toBeUndefined()
  })

  it('when its engine still runs, then others do not take that for a server of the directory', async () => {
    const { endpoint, kill } = await serverProcess('engine', 'dynoxide')
    expect(await ownedElsewhere(directory)).toEqual({ folder: directory, endpoint })
    await kill()
    expect(await ownedElsewhere(directory)).toBeUndefined()
    await own()
    expect(await ownedElsewhere(directory)).toBeUndefined()
    expect(await ownedElsewhere(join(directory, 'missing'))).toBeUndefined()
  })

  it('when its owner keeps the endpoint for itself, then others find none', async () => {
    const { noteEngine } = await own()
    const endpoint = 'http://127.0.0.1:1'
    await noteEngine({ pid: process.pid, endpoint })
    expect(await ownedElsewhere(directory)).toEqual({ folder: directory, endpoint })
    await noteEngine({ pid: process.pid })
    expect(await ownedElsewhere(directory)).toBeUndefined()
  })

  it('when its engine has ended and another process has its id, then that process is left alone', async () => {
    const other = await serverProcess()
    await other.kill()
    const bystander = await startEngine()
    const engine = { pid: bystander.pid, startedAt: 'another time' }
    await writeFile(join(directory, 'owner.json'), JSON.stringify({ server: other.pid, engine }))
    await own()
    expect(identify(bystander.pid)).toBeDefined()
    await bystander.stop()
  })

  it('when the next one is killed while it takes over, then the one after it ends the engine', async () => {
    const engine = await leftByTwo()
    expect(identify(engine)).toBeDefined()
    await own()
    expect(identify(engine)).toBeUndefined()
  })

  /** The engine of one that was killed, as was the next one within the second that it gives the engine to end by itself. */
  async function leftByTwo(): Promise<number> {
    for (let tries = 1; ; tries++) {
      const { engine = 0, kill } = await serverProcess('engine', 'dynoxide')
      process.kill(engine, 'SIGSTOP')
      await kill()
      const second = spawn(process.execPath, ['--input-type=module', '-e', server, directory])
      children.push(second)
      await expect.poll(async () => readFile(join(directory, 'owner.json'), 'utf8')).toContain(`${second.pid}`)
      await killed(second)
      // A busy machine may be too late.
      if (identify(engine) || tries === 10) return engine
    }
  }

  it('when several start at once, then one of them owns the directory, and the others are told which', async () => {
    for (let round = 0; round < 20; round++) {
      const { engine = 0, kill } = await serverProcess('engine', 'dynoxide')
      await kill()
      const takers = await Promise.all([serverProcess(), serverProcess(), serverProcess()])
      const [owner, ...others] = takers.toSorted((a, b) => Number(b.owns) - Number(a.owns))
      const message = inUseBy(owner?.pid ?? 0)
      expect(owner).toMatchObject({ owns: true })
      expect(others).toMatchObject([
        { owns: false, message },
        { owns: false, message },
      ])
      expect(identify(engine)).toBeUndefined()
      await Promise.all(takers.map((taker) => taker.kill()))
    }
  })

  it('when one process starts twice at once, then it owns the directory once', async () => {
    for (let round = 0; round < 20; round++) {
      const { kill } = await serverProcess()
      await kill()
      const takers = await Promise.allSettled([own(), own()])
      expect(takers.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      await owned.pop()?.release()
    }
  })
})
