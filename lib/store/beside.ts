import type { Report } from './messages.ts'

/**
 * What goes on beside a request. A function may be frozen once it has answered, so its answer waits for what was begun on
 * the way to it; where nothing freezes nobody waits.
 */
export interface Beside {
  /** Begins something at once. Its failure is told, and is nobody else's. */
  begin(what: string, work: () => Promise<void>): void
  /** Resolves when nothing is under way any more that has to be waited for. Never rejects. */
  done(): Promise<void>
}

/** Nothing is under way yet. */
export function newBeside(report: Report, { freezes }: { readonly freezes: boolean }): Beside {
  const underWay = new Set<Promise<void>>()
  return {
    begin(what, work) {
      const begun = work()
        .catch((error: unknown) => report(`${what} has failed`, { error }))
        .finally(() => underWay.delete(begun))
      underWay.add(begun)
    },

    async done() {
      if (freezes) await Promise.all(underWay)
    },
  }
}
