/** What clients of a real server have sent, received and deleted, in the words of Jepsen's total-queue. */
export interface Ledger {
  /** A text that nobody has sent before; it may be there from now on. */
  attempt(): string
  acknowledge(text: string): void
  receive(text: string): void
  /** What it all comes to, once nothing is left in the queue. */
  totals(): LedgerTotals
}

export interface LedgerTotals {
  readonly attempted: number
  readonly acknowledged: number
  readonly received: number
  readonly recovered: number
  readonly duplicated: number
  readonly lost: readonly string[]
  readonly unexpected: readonly string[]
}

export function newLedger(name: string): Ledger {
  const attempted = new Set<string>()
  const acknowledged = new Set<string>()
  const receives = new Map<string, number>()

  return {
    attempt() {
      const text = `${name}-${attempted.size}`
      attempted.add(text)
      return text
    },
    acknowledge: (text) => void acknowledged.add(text),
    receive: (text) => void receives.set(text, (receives.get(text) ?? 0) + 1),

    totals: () => ({
      attempted: attempted.size,
      acknowledged: acknowledged.size,
      received: receives.size,
      recovered: [...receives.keys()].filter((text) => attempted.has(text) && !acknowledged.has(text)).length,
      duplicated: [...receives.values()].reduce((sum, count) => sum + count - 1, 0),
      lost: [...acknowledged].filter((text) => !receives.has(text)),
      unexpected: [...receives.keys()].filter((text) => !attempted.has(text)),
    }),
  }
}
