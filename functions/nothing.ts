import { CmqError } from '../lib/domain/errors.ts'

/** What a refusal comes to, where one asks for something that may not be there: nothing. Anything else goes on failing. */
export function nothing(error: unknown): undefined {
  if (!(error instanceof CmqError)) throw error
}
