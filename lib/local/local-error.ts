/** A failure that the user can mend: its message is shown as one line, without a stack, and the exit code is 1. */
export class LocalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LocalError'
  }
}

/** What went wrong, in the system's words and in one line: `EACCES: permission denied, mkdir '/data'`. */
export function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error).split('\n', 1).join('')
  // A name with several addresses, none of which answers, fails without a message.
  const { message, code = error.name } = error as NodeJS.ErrnoException
  return (message || code).split('\n', 1).join('')
}
