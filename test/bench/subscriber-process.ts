import { createServer, type AddressInfo, type Socket } from 'node:net'
import { monotonic, type Arrival, type Order, type Report } from './subscriber.ts'

/**
 * A web server that does next to nothing, so that those who push to it are measured: it answers every request at once and
 * notes when its first byte came. What comes below /failing-N it refuses N times for each message; what comes below
 * /slow-N it answers N milliseconds later.
 */

const tell = (report: Report) => process.send?.(report)

/** What came and was not reported, by the first part of the path. */
const arrivals = new Map<string, Arrival[]>()
let awaited: { readonly name: string; readonly count: number; readonly late: NodeJS.Timeout } | undefined
const tries = new Map<string, number>()
/** Answers that are kept back, while they are. */
let kept: (() => void)[] | undefined

function listen(socket: Socket): void {
  let request = ''
  let at = 0
  socket.setNoDelay()
  socket.setEncoding('latin1')
  socket.on('error', () => socket.destroy())
  socket.on('data', (text: string) => {
    if (request === '') at = monotonic()
    request += text
    const end = request.indexOf('\r\n\r\n')
    const head = request.slice(0, Math.max(0, end))
    if (end === -1 || request.length < end + 4 + Number(headerOf(head, 'content-length'))) return
    request = ''
    const [, path = '', name = ''] = /^POST \/(([^ /]*)\S*) /.exec(head) ?? []
    const id = headerOf(head, 'x-cmq-message-id')
    note(name, { path, id, at })
    const status = statusFor(name, `${path} ${id}`)
    answerLater(name, () => void socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`))
  })
}

const headerOf = (head: string, name: string): string =>
  new RegExp(`\r\n${name}: *([^\r\n]*)`, 'i').exec(head)?.[1] ?? ''

function note(name: string, arrival: Arrival): void {
  const others = arrivals.get(name)
  if (others) others.push(arrival)
  else arrivals.set(name, [arrival])
  reportIfEnough()
}

function statusFor(name: string, message: string): string {
  const [, failing] = /^failing-(\d+)$/.exec(name) ?? []
  if (failing === undefined) return '200 OK'
  const tried = tries.get(message) ?? 0
  tries.set(message, tried + 1)
  return tried < Number(failing) ? '500 Not Now' : '200 OK'
}

function answerLater(name: string, answer: () => void): void {
  const [, slow] = /^slow-(\d+)$/.exec(name) ?? []
  if (kept) kept.push(answer)
  else if (slow !== undefined) setTimeout(answer, Number(slow))
  else answer()
}

function reportIfEnough(): void {
  if (awaited && (arrivals.get(awaited.name)?.length ?? 0) >= awaited.count) report()
}

function report(): void {
  if (!awaited) return
  const { name, late } = awaited
  clearTimeout(late)
  awaited = undefined
  tell({ arrivals: arrivals.get(name) ?? [] })
  arrivals.delete(name)
}

process.on('message', (order: Order) => {
  if ('count' in order) {
    awaited = { ...order, late: setTimeout(report, order.patience) }
    reportIfEnough()
  } else if (order.hold) kept = []
  else {
    for (const answer of kept ?? []) answer()
    kept = undefined
  }
})
// Whoever started it is gone.
process.on('disconnect', () => process.exit())

const server = createServer(listen).listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  tell({ url: `http://127.0.0.1:${port}` })
})
