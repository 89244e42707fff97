/**
 * How often a change is made anew that another change overtook. Queues bound to one dead-letter queue at once overtake each
 * other, one by one, and there may be six.
 */
const ATTEMPTS = 10

/** Changes what was read, unless another change came between: then what is there now. Returns what was read last. */
export async function changed<Thing, Change>(
  read: () => Promise<Thing>,
  decide: (thing: Thing) => Change,
  save: (thing: Thing, change: Change) => Promise<boolean>,
): Promise<Thing> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const thing = await read()
    if (await save(thing, decide(thing))) return thing
  }
  throw new Error('what was to be changed kept changing')
}
