import * as v from 'valibot'
import { noteLimits } from '../domain/notes.ts'
import { flag, structures, text } from './params.ts'

/** What may be noted on queues and topics alike: parameters of API 3.0, and the same in API 2.0 as extensions. */
export const notes = {
  trace: v.optional(flag),
  tags: v.optional(
    structures(
      v.object({ tagKey: text(1, noteLimits.tagKey), tagValue: text(0, noteLimits.tagValue) }),
      noteLimits.tags,
    ),
  ),
}
