import { describe, expect, it } from 'vitest'
import { readOptions } from './options.ts'

const endpoint = 'https://abc.execute-api.eu-west-1.amazonaws.com'

describe('given a command line', () => {
  it('when it has an endpoint and a key pair, then these are checked', () => {
    const args = ['--endpoint', endpoint, '--secret-id', 'AKIDa', '--secret-key=-b']
    expect(readOptions(args, { CMQ_SECRET_KEY: 'other' })).toEqual({ endpoint, secretId: 'AKIDa', secretKey: '-b' })
  })

  it('when it has no key pair, then the environment has it', () => {
    const environment = { CMQ_SECRET_ID: 'AKIDa', CMQ_SECRET_KEY: 'b' }
    expect(readOptions(['--endpoint', endpoint], environment)).toEqual({ endpoint, secretId: 'AKIDa', secretKey: 'b' })
  })

  it.each([
    [['--endpoint', endpoint, '--secret-id', 'AKIDa'], '--endpoint, --secret-id and --secret-key are needed'],
    [['--secret-id', 'AKIDa', '--secret-key', 'b'], '--endpoint, --secret-id and --secret-key are needed'],
    [['--endpoint', 'abc:80', '--secret-id', 'AKIDa', '--secret-key', 'b'], '--endpoint takes a URL'],
    [['--nothing'], "Unknown option '--nothing'"],
  ])('when it is %j, then it says what is wrong', (args, message) => {
    expect(() => readOptions(args, {})).toThrow(message)
  })

  it('when it asks for help, then there is nothing to check', () => {
    expect(readOptions(['--help'], {})).toBeUndefined()
  })
})
