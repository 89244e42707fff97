/**
 * Does together what is asked for in one turn of the event loop, at most so many at once. Each that asks is told when its
 * part is done, or how that failed; what is asked for twice under one key is done once.
 */
export function gathered<Request>(
  most: number,
  keyOf: (request: Request) => string,
  doTogether: (requests: readonly Request[]) => Promise<void>,
): (request: Request) => Promise<void> {
  let open: { readonly requests: Map<string, Request>; readonly done: Promise<void> } | undefined

  return (request) => {
    if (!open || open.requests.size >= most) {
      const requests = new Map<string, Request>()
      const turnIsOver = new Promise((resolve) => setImmediate(resolve))
      const done = turnIsOver.then(() => {
        if (open?.requests === requests) open = undefined
        return doTogether([...requests.values()])
      })
      open = { requests, done }
    }
    open.requests.set(keyOf(request), request)
    return open.done
  }
}
