import { CmqError } from '../lib/domain/errors.ts'
import type { Changed } from '../lib/store/records.ts'

/**
 * How often a change is made anew that another change overtook. Queues bound to one dead-letter queue at once overtake each
 * other, one by one, and there may be six.
 */
const ATTEMPTS = 10

/**
 * Changes what was read, unless another change came between: then what is there now. Returns what was read last. What was
 * perhaps made before another change came between is not refused for what that one has left: it is not known what took place.
 */
export async function changed<Thing, Change>(
  read: () => Promise<Thing>,
  decide: (thing: Thing) => Change,
  save: (thing: Thing, change: Change) => Promise<Changed>,
): Promise<Thing> {
  let isOpen = false
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const thing = await read()
      const isMade = await save(thing, decide(thing))
      if (isMade) return thing
      isOpen ||= isMade === undefined
    }
  } catch (error) {
    if (isOpen && error instanceof CmqError)
      throw new Error('a change may have been made, and can not be now', { cause: error })
    throw error
  }
  throw new Error('what was to be changed kept changing')
}
