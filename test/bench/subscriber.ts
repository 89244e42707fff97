import { fork } from 'node:child_process'
import { once } from 'node:events'

/** One push, as its subscriber saw it. */
export interface Arrival {
  /** The path that it was posted to, without its slash, and the id of its message. */
  readonly path: string
  readonly id: string
  /** When its first byte came, in milliseconds of `monotonic`. */
  readonly at: number
}

/** What a subscriber's process is asked: to report, or to keep its answers back until told otherwise. */
export type Order =
  { readonly name: string; readonly count: number; readonly patience: number } | { readonly hold: boolean }

/** What a subscriber's process tells. */
export type Report = { readonly url: string } | { readonly arrivals: readonly Arrival[] }

/** A web server in a process of its own, until the end of the block that uses it. */
export interface Subscriber extends AsyncDisposable {
  /**
   * What is posted below it is answered by 200 at once; below /slow-N after N milliseconds, below /failing-N each message
   * only after N failures.
   */
  readonly url: string
  /**
   * What came below the path of this name since that was asked last, as soon as it is so many, or else after so many
   * milliseconds.
   */
  arrivals(name: string, count: number, patience: number): Promise<readonly Arrival[]>
  /** Keeps back all answers from now on, or gives those that were kept back. */
  hold(isHolding: boolean): void
}

/** Milliseconds of a clock that all processes of this machine share. */
export const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6

export async function subscriber(): Promise<Subscriber> {
  const child = fork(new URL('subscriber-process.ts', import.meta.url))
  const kill = () => child.kill()
  process.on('exit', kill)
  const ended = once(child, 'exit').then(() => process.off('exit', kill))
  const order = (message: Order) => void child.send(message)

  async function told(): Promise<Report> {
    const gone = ended.then((): never => {
      throw new Error('the subscriber has ended')
    })
    const [report] = (await Promise.race([once(child, 'message'), gone])) as [Report]
    return report
  }

  const first = await told()
  if (!('url' in first)) throw new Error('the subscriber did not start')
  return {
    url: first.url,
    async arrivals(name, count, patience) {
      order({ name, count, patience })
      const report = await told()
      return 'arrivals' in report ? report.arrivals : []
    },
    hold: (hold) => order({ hold }),
    async [Symbol.asyncDispose]() {
      kill()
      await ended
    },
  }
}
