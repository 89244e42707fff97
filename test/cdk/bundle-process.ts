/** A process that runs a bundle as Lambda does: the events come as messages, each with its number, and so do the answers. */
type Handler = (event: unknown, context: object) => Promise<unknown>

const { handler } = (await import(process.argv[2] ?? '')) as { handler: Handler }

process.on('message', ([number, event, { remaining, ...context }]: [number, unknown, { remaining: number }]) => {
  void handler(event, { ...context, getRemainingTimeInMillis: () => remaining }).then(
    (answer) => process.send?.([number, { answer }]),
    (error: unknown) => process.send?.([number, { error: String(error) }]),
  )
})
