/** What a program of checks says: a line for each, and at the end how many passed, in words that any CI reads. */
export interface Tally {
  /** Says that this passed, or why it failed. After a failure nothing more of the same story is told: it would only fail too. */
  check<Found>(what: string, body: () => Promise<Found>): Promise<Found>
  /** Tells checks of which each needs those before it. Never throws. */
  story(body: () => Promise<void>): Promise<void>
  skip(what: string, why: string): void
  /** Shows a line of another program of checks, and counts it if it says how a check went. */
  relay(line: string): void
  readonly failures: number
  /** The same count, its lines beginning with whom they are about. */
  about(subject: string): Tally
  /** The closing line. Sets the exit code. */
  close(): void
}

/** Ends a story whose failure has been told. */
class StoryEnded extends Error {}

export function tally(count = { passed: 0, failed: 0, skipped: 0 }, subject = ''): Tally {
  const say = (verdict: string, what: string) => console.log(`${verdict} ${subject}${what}`)

  function fail(what: string, error: unknown): void {
    count.failed++
    say('FAILED', `${what}: ${error instanceof Error ? error.message : String(error)}`.replaceAll(/\s+/g, ' '))
  }

  return {
    async check(what, body) {
      const found = await body().catch((error: unknown) => {
        fail(what, error)
        throw new StoryEnded()
      })
      count.passed++
      say('ok', what)
      return found
    },

    async story(body) {
      try {
        await body()
      } catch (error) {
        if (!(error instanceof StoryEnded)) fail('what comes between the checks', error)
      }
    },

    skip(what, why) {
      count.skipped++
      say('skipped', `${what}: ${why}`)
    },

    relay(line) {
      const [, verdict, what = ''] = /^(ok|FAILED|skipped) (.*)$/.exec(line) ?? []
      if (verdict === undefined) return console.log(`  ${subject}${line}`)
      count[verdict === 'ok' ? 'passed' : verdict === 'FAILED' ? 'failed' : 'skipped']++
      say(verdict, what)
    },

    get failures() {
      return count.failed
    },

    about: (narrower) => tally(count, `${subject}${narrower}: `),

    close() {
      console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
      process.exitCode = count.failed > 0 ? 1 : 0
    },
  }
}
