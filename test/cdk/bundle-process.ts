import type { CmqHandler, Invocation } from '../../functions/cmq-handler.ts'

/** A process that runs a bundle as Lambda does: the events come as messages, and so do the answers. */
const { handler } = (await import(process.argv[2] ?? '')) as { handler: CmqHandler }

process.on('message', ([event, invocation]: [Parameters<CmqHandler>[0], Invocation]) => {
  void handler(event, invocation).then((answer) => process.send?.(answer))
})
