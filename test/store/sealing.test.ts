import { describe, expect, it } from 'vitest'
import { sealing } from '../../lib/store/sealing.ts'

const owner = { secretId: 'AKIDa', account: '1250000000' }
const seals = sealing('root')
const sealed = seals.seal('the secret', owner)
const cannotBeOpened = 'the secret of the key AKIDa was sealed otherwise, and cannot be opened'

describe('given a sealed secret', () => {
  it('when it is opened for its owner, then it is the same, also in another process', () => {
    expect(seals.open(sealed, owner)).toBe('the secret')
    expect(sealing('root').open(sealed, owner)).toBe('the secret')
  })

  it('when it is sealed again, then nobody sees that it is the same', () => {
    expect(seals.seal('the secret', owner)).not.toBe(sealed)
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('secret')
  })

  it.each([
    ['another account', sealing('root'), { ...owner, account: '1250000001' }],
    ['another root', sealing('toor'), owner],
  ])('when it is opened with %s, then it cannot be, and nothing of it is told', (_, other, as) => {
    expect(() => other.open(sealed, as)).toThrow(cannotBeOpened)
  })

  it('when it is put into the record of another key, then it cannot be opened', () => {
    expect(() => seals.open(sealed, { ...owner, secretId: 'AKIDb' })).toThrow('AKIDb')
  })

  it('when any of its bytes is changed, or it ends early, then it cannot be opened', () => {
    const bytes = Buffer.from(sealed, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      expect(() => seals.open(changed.toString('base64url'), owner), `byte ${at}`).toThrow(cannotBeOpened)
      expect(() => seals.open(bytes.subarray(0, at).toString('base64url'), owner)).toThrow(cannotBeOpened)
    }
  })
})

describe('given a fingerprint', () => {
  it('when the secret, its owner or the root is another, then so is it', () => {
    const mark = seals.fingerprint('the secret', owner)
    expect(seals.fingerprint('the secret', owner)).toBe(mark)
    const others = [
      seals.fingerprint('the secre', owner),
      seals.fingerprint('the secret', { ...owner, secretId: 'AKIDb' }),
      sealing('toor').fingerprint('the secret', owner),
    ]
    expect(new Set([mark, ...others]).size).toBe(4)
  })
})
