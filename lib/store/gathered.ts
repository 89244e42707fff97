/**
 * Does what is asked for in one turn of the event loop together. Whoever asks is told when all of it is done, or how it
 * failed.
 */
export function gathered<Request>(doAll: (requests: readonly Request[]) => Promise<unknown>) {
  let asked: Request[] = []
  let doing: Promise<unknown> | undefined

  return async (request: Request): Promise<void> => {
    asked.push(request)
    doing ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      const all = asked
      asked = []
      doing = undefined
      return doAll(all)
    })
    await doing
  }
}
