/** The bytes of all request bodies that a server holds, before and while they are handled. */
export interface BodyRoom {
  /** Room for one more body; `giveUp` is called where it has to make room for others. */
  enter(giveUp: () => void): BodyPlace
}

export interface BodyPlace {
  /** So many bytes more have come; whoever has been receiving for longest gives up while all together are too many. */
  grow(bytes: number): void
  /** Nothing more comes: it is handled now, and gives up no more. */
  received(): void
  isReceived(): boolean
  leave(): void
}

/**
 * Room for so many bytes. Bodies are read before it is known who sent them, so whoever opens connections enough could
 * fill the memory with them. The oldest gives way: who sends as fast as it can is soon done, who drips is not.
 */
export function newBodyRoom(most: number): BodyRoom {
  /** Those that still grow, the oldest first. */
  const receiving = new Set<{ bytes: number; giveUp: () => void }>()
  let held = 0

  return {
    enter(giveUp) {
      const body = { bytes: 0, giveUp }
      const leave = (one: typeof body) => {
        receiving.delete(one)
        held -= one.bytes
        one.bytes = 0
      }
      receiving.add(body)
      return {
        grow(bytes) {
          body.bytes += bytes
          held += bytes
          for (const oldest of receiving) {
            if (held <= most) return
            leave(oldest)
            oldest.giveUp()
          }
        },
        received: () => void receiving.delete(body),
        isReceived: () => !receiving.has(body),
        leave: () => leave(body),
      }
    },
  }
}
