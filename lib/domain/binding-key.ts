/** The most bytes of UTF-8 and dots of a binding or routing key, and binding keys of a subscription (406/8127). */
export const keyLimits = { bytes: 64, dots: 15, keys: 5 } as const

/** How many dots a key has. */
export const dotsIn = (key: string): number => key.split('.').length - 1

/**
 * Whether a message of this routing key goes to a subscription of this binding key (406/8127). The words of a key lie
 * between its dots. In a binding key the word `*` stands for exactly one word that is not empty, `#` for any number of
 * any words, none included, and every other for itself, to the letter. The empty key has no words.
 */
export const binds = (bindingKey: string, routingKey: string): boolean => matcher(routingKey)(bindingKey)

/** `binds` for one message and many binding keys. They are read in place: to split them would take longest. */
export function matcher(routingKey: string): (bindingKey: string) => boolean {
  const words = routingKey === '' ? [] : routingKey.split('.')

  return (bindingKey) => {
    // Where the next word of the binding key begins, beyond its end when none is left; and the word it has to match.
    let at = bindingKey === '' ? 1 : 0
    let next = 0
    // Where the binding key goes on after the last `#`, and the first word that this `#` does not stand for.
    let afterHash = -1
    let beyondHash = 0
    for (;;) {
      if (isWord('#', bindingKey, at)) {
        afterHash = at += 2
        beyondHash = next
        continue
      }
      const word = words[next]
      // If words of the binding key are left, a `#` that stood for more would only leave more of them.
      if (word === undefined) return at > bindingKey.length
      const step = stepOver(word, bindingKey, at)
      if (step > 0) {
        at += step
        next++
        continue
      }
      if (afterHash < 0) return false
      // The last `#` stands for one word more. Those before it need no second try: it takes whatever they would.
      at = afterHash
      next = ++beyondHash
    }
  }
}

/** How far it is to the next word of the binding key, if the one that begins here matches; 0 if none does. */
function stepOver(word: string, bindingKey: string, at: number): number {
  if (word !== '' && isWord('*', bindingKey, at)) return 2
  return isWord(word, bindingKey, at) ? word.length + 1 : 0
}

/** Whether this word, all of it and no more, begins at this place of the key. */
const isWord = (word: string, key: string, at: number): boolean =>
  key.startsWith(word, at) && (key[at + word.length] === '.' || key.length === at + word.length)
