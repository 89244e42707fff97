/** A failure that the user can mend: its message is shown as one line, without a stack, and the exit code is 1. */
export class LocalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LocalError'
  }
}

/** What went wrong, in the system's words and in one line: `EACCES: permission denied, mkdir '/data'`. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1).join('')
}
