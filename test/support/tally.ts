/** What a program of checks says: a line for each, and at the end how many passed, in words that any CI reads. */
export interface Tally {
  /** Says that this passed, or why it failed. After a failure nothing more of the same story is told: it would only fail too. */
  check<Found>(what: string, body: () => Promise<Found>): Promise<Found>
  /** Tells checks of which each needs those before it. Never throws. */
  story(body: () => Promise<void>): Promise<void>
  /** Resolves when all stories are told, or with the signal: then the checks that are not done have failed. */
  together(stories: readonly Promise<void>[], signal: AbortSignal): Promise<void>
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

/** What all parts of a tally share. */
interface Sheet {
  readonly count: { passed: number; failed: number; skipped: number }
  /** What is being checked. */
  readonly open: Set<string>
}

const newSheet = (): Sheet => ({ count: { passed: 0, failed: 0, skipped: 0 }, open: new Set() })

export function tally(sheet: Sheet = newSheet(), subject = ''): Tally {
  const { count, open } = sheet
  const say = (verdict: string, what: string) => console.log(`${verdict} ${what}`)

  function fail(what: string, error: unknown): void {
    count.failed++
    say('FAILED', `${what}: ${error instanceof Error ? error.message : String(error)}`.replaceAll(/\s+/g, ' '))
  }

  function failOpen(reason: unknown): void {
    for (const what of open) fail(what, reason)
    open.clear()
  }

  return {
    async check(what, body) {
      const named = subject + what
      open.add(named)
      try {
        const found = await body()
        // What was given up is not told twice.
        if (!open.has(named)) throw new StoryEnded()
        count.passed++
        say('ok', named)
        return found
      } catch (error) {
        if (open.has(named)) fail(named, error)
        throw new StoryEnded()
      } finally {
        open.delete(named)
      }
    },

    async story(body) {
      try {
        await body()
      } catch (error) {
        if (!(error instanceof StoryEnded)) fail(`${subject}what comes between the checks`, error)
      }
    },

    async together(stories, signal) {
      const given = Promise.withResolvers<void>()
      const giveUp = () => {
        failOpen(signal.reason)
        given.resolve()
      }
      if (signal.aborted) return giveUp()
      signal.addEventListener('abort', giveUp)
      await Promise.race([Promise.all(stories), given.promise])
      signal.removeEventListener('abort', giveUp)
    },

    skip(what, why) {
      count.skipped++
      say('skipped', `${subject}${what}: ${why}`)
    },

    relay(line) {
      const [, verdict, what = ''] = /^(ok|FAILED|skipped) (.*)$/.exec(line) ?? []
      if (verdict === undefined) return console.log(`  ${subject}${line}`)
      count[verdict === 'ok' ? 'passed' : verdict === 'FAILED' ? 'failed' : 'skipped']++
      say(verdict, subject + what)
    },

    get failures() {
      return count.failed
    },

    about: (narrower) => tally(sheet, `${subject}${narrower}: `),

    close() {
      console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
      process.exitCode = count.failed > 0 ? 1 : 0
    },
  }
}
