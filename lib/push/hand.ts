import type { Delivery } from '../domain/delivery.ts'
import type { FirstDeliveries } from '../store/deliveries.ts'

/** The deliveries of a lane that a runner has in hand. */
export interface Hand {
  /** Those that nobody is trying at the moment, in order. */
  waiting(): readonly Delivery[]
  /** Those that are being tried. */
  underWay(): readonly Delivery[]
  /** Whether the lane holds no others, as far as anybody knows. */
  isAllKnown(): boolean
  begin(delivery: Delivery): void
  /** The try has ended. `next` is how the delivery waits now; undefined when it is gone. */
  end(delivery: Delivery, next?: Delivery): void
  /** Takes up what `read` finds, beyond a delivery where it is given one. What changes meanwhile is known better. */
  look(where: Where, read: (beyond?: Delivery) => Promise<FirstDeliveries>): Promise<void>
}

/** Where a look begins: at the beginning of the lane, or where the last look has ended. */
export type Where = 'anew' | 'on'

/** An empty hand. */
export function newHand(): Hand {
  let waiting: readonly Delivery[] = []
  const underWay = new Map<string, Delivery>()
  let touched = new Set<string>()
  let last: Delivery | undefined
  let isAllKnown = false

  return {
    waiting: () => waiting,
    underWay: () => [...underWay.values()],
    isAllKnown: () => isAllKnown,

    begin(delivery) {
      waiting = waiting.filter(({ id }) => id !== delivery.id)
      underWay.set(delivery.id, delivery)
      touched.add(delivery.id)
    },

    end(delivery, next) {
      underWay.delete(delivery.id)
      touched.add(delivery.id)
      if (next) waiting = [...waiting, next].toSorted(inOrder)
    },

    async look(where, read) {
      const beyond = where === 'on' ? last : undefined
      touched = new Set(underWay.keys())
      const { deliveries, isAll } = await read(beyond)
      const end = deliveries.at(-1)
      const wasRead = (one: Delivery) =>
        (!beyond || inOrder(one, beyond) > 0) && (isAll || !end || inOrder(one, end) <= 0)
      const found = deliveries.filter(({ id }) => !touched.has(id))
      const kept = waiting.filter((one) => touched.has(one.id) || !wasRead(one))
      waiting = [...found, ...kept].toSorted(inOrder)
      last = end ?? beyond
      isAllKnown = isAll
    },
  }
}

/** The order of a lane. */
const inOrder = (a: Delivery, b: Delivery): number =>
  a.publishedAt - b.publishedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
