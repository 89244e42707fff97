import type { Call } from '../history.ts'
import { callsOf } from './calls.ts'
import type { Ledger } from './ledger.ts'
import { violation, type Violation } from './rows.ts'
import { latestOf, SETTLED } from './settings.ts'

/** A name is taken (406/5903). */
const TAKEN = 4_460

/** What was deleted is not there until it is made again, by whoever asks. */
export function judgeTopics({ history, apart }: Ledger): readonly Violation[] {
  const deletions = callsOf(history, 'abolish').filter(({ outcome }) => outcome === 'acknowledged')
  return deletions.flatMap((deletion) => {
    const about = history.calls.filter((call) => topicOf(call) === topicOf(deletion))
    const creations = about.filter((call) => isCreation(call) && call.outcome !== 'refused')
    const madeAgainAt = Math.min(...creations.filter((one) => latestOf(one) > deletion.from).map(({ from }) => from))
    return about
      .filter((call) => call.from > deletion.to + SETTLED + apart && call.to < madeAgainAt && sawIt(call))
      .map((call) => violation('revived', `the topic ${topicOf(deletion)}`, deletion, call))
  })
}

const topicOf = ({ op }: Call): string | undefined => ('topic' in op ? op.topic : undefined)

const isCreation = ({ op }: Call): boolean => op.kind === 'topic'

const sawIt = (call: Call): boolean => (isCreation(call) ? call.code === TAKEN : call.outcome === 'acknowledged')
