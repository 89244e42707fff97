import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endServers, launch, startServer } from '../support/local-server.ts'
import { mountDisk } from '../support/small-disk.ts'
import { newClient } from '../torture/processes/client.ts'

/** What `npm start` does while its disk is full: refuses, says so, lives on, and recovers by itself. */

/** Not every machine lets us mount one. */
const disk = await mountDisk(16)
afterEach(() => disk?.empty())
afterAll(async () => {
  await endServers()
  await disk?.close()
})

const LISTENING = /CMQ listening on http:\/\/127\.0\.0\.1:(\d+)/

/** Waits for what is certain to come; the test's own time limit is the bound. */
async function until<Found>(find: () => Promise<Found | undefined> | Found | undefined): Promise<Found> {
  for (;;) {
    const found = await find()
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

const queue = { queueName: 'orders' }

describe.skipIf(!disk)('given a disk that is full', () => {
  const { directory = '', path = '', prefix = [], fill = () => undefined, empty = () => undefined } = disk ?? {}
  let directories = 0
  const newData = () => ['--port', '0', '--data', join(directory, `data ${++directories}`)]

  it('when something is sent, then a line says what is amiss; when there is room again, it is sent after all', async () => {
    const server = await startServer(newData(), { prefix })
    const [sender, receiver] = [newClient(server.port), newClient(server.port)]
    await sender.ask('CreateQueue', queue)
    fill(0)
    const sending = sender.ask('SendMessage', { ...queue, msgBody: 'hello' })
    await until(() => server.errors().endsWith('\n') || undefined)
    expect(server.errors()).toMatch(/^the disk of .* is full: nothing is sent, received or deleted until .*\n$/)

    empty()
    expect(await sending).toMatchObject({ code: 0 })
    expect(await receiver.ask('ReceiveMessage', queue)).toMatchObject({ code: 0, msgBody: 'hello' })
    for (const client of [sender, receiver]) client.close()
  })

  it('when its log lies there, too, then the server goes on without; when there is room again, it is written', async () => {
    const logged = ['sh', '-c', `exec "$@" >>'${join(directory, 'log')}' 2>&1`, 'sh']
    const server = launch([...newData(), '--verbose'], { prefix: [...prefix, ...logged] })
    const log = () => readFile(join(path, 'log'), 'utf8').catch(() => '')
    const client = newClient(Number(await until(async () => LISTENING.exec(await log())?.[1])))
    await client.ask('ListQueue')
    fill(0)
    // A page is 4 KB, and a line some 250 bytes: the first of them have room in the last page.
    for (let asked = 0; asked < 40; asked++) expect(await client.ask('ListQueue')).toMatchObject({ code: 0 })
    expect(await client.ask('SendMessage', { queueName: 'missing', msgBody: 'x' })).toMatchObject({ code: 4440 })

    empty()
    const before = (await log()).length
    expect(await client.ask('ListQueue')).toMatchObject({ code: 0 })
    await until(async () => (await log()).length > before || undefined)
    client.close()
    server.kill('SIGTERM')
    expect(await server.ended).toMatchObject({ code: 0 })
  })

  // What a start has come to by then: the lock, the sealing key, the engine, the tables.
  it.each([0, 8, 12, 130])('when a server starts with %i KB left, then it says in one line why not', async (spare) => {
    fill(spare * 1_024)
    const server = launch(newData(), { prefix })
    expect(await server.ended).toMatchObject({ code: 1 })
    expect(server.errors()).toMatch(/^.*(ENOSPC: no space left on device|disk is full|disk I\/O error).*\n$/)

    empty()
    const files = await readdir(join(path, `data ${directories}`))
    expect(files.filter((file) => file.startsWith('sealing-key.'))).toEqual([])
  })

  it('when a server that was refused a start there is started with room, then all that was acknowledged is there', async () => {
    const data = newData()
    const first = await startServer(data, { prefix })
    const client = newClient(first.port)
    await client.ask('CreateQueue', queue)
    expect(await client.ask('SendMessage', { ...queue, msgBody: 'hello' })).toMatchObject({ code: 0 })
    client.close()
    fill(0)
    first.kill('SIGKILL')
    await first.ended
    await expect(startServer(data, { prefix })).rejects.toThrow('ENOSPC')

    empty()
    const second = await startServer(data, { prefix })
    const other = newClient(second.port)
    expect(await other.ask('ReceiveMessage', queue)).toMatchObject({ code: 0, msgBody: 'hello' })
    other.close()
  })
})
