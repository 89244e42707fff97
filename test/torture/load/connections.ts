import { connect, type Socket } from 'node:net'
import { signedEvent } from '../../support/signed-request.ts'

/** What a connection does once it is there. */
export type Habit = (socket: Socket, port: number) => void

export const silent: Habit = () => undefined

/** It begins a request and says no more. */
export const hesitant: Habit = (socket) => socket.write(headOf('x', 1_000_000) + 'Act')

/** Almost the largest body there may be, and its last bytes, which never come. */
const BODY = 4 * 1024 * 1024 - 1_000
const MISSING = 1_000
const bodyBegun = Buffer.alloc(BODY - MISSING, 'x')

/** It sends almost all of a large body, and stops. */
export const slowWriter: Habit = (socket) => {
  socket.write(headOf('x', BODY))
  socket.write(bodyBegun)
}

/** It asks for a message of this queue, and never reads the answer. */
export const slowReader =
  (queueName: string): Habit =>
  (socket, port) => {
    const host = `127.0.0.1:${port}`
    const { body = '' } = signedEvent({ Action: 'ReceiveMessage', queueName }, { host })
    const form = Buffer.from(body, 'base64').toString()
    socket.pause()
    socket.write(headOf(host, form.length) + form)
  }

const headOf = (host: string, length: number): string =>
  `POST /v2/index.php HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${length}\r\n\r\n`

/** A connection with a habit, and whether the server has answered or closed it: a server may refuse what it cannot bear. */
export interface Connection {
  readonly isRefused: () => boolean
  /** Whether all that it says has been taken, or was refused. */
  readonly isDone: () => boolean
  close(): void
}

export function opened(port: number, habit: Habit): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let isRefused = false
    const refused = () => (isRefused = true)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject).on('error', refused).once('close', refused)
      habit(socket, port)
      // Whoever has paused does not read for this either.
      socket.on('data', refused)
      const isDone = () => isRefused || socket.writableLength === 0
      resolve({ isRefused: () => isRefused, isDone, close: () => socket.destroy() })
    })
  })
}
