import { describe, expect, it } from 'vitest'
import { LocalError } from '../../lib/local/local-error.ts'
import { readOptions, usage } from '../../lib/local/options.ts'

const defaultPair = { secretId: 'AKIDlocal', secretKey: 'local-secret' }
const ownPair = { CMQ_SECRET_ID: 'AKIDmine', CMQ_SECRET_KEY: 'my own' }

describe('given no options', () => {
  it('when they are read, then it listens on loopback alone, keeps messages in .cmq and has the default pair', () => {
    expect(readOptions([], {})).toEqual({
      host: '127.0.0.1',
      port: 8080,
      directory: '.cmq',
      dynamodb: undefined,
      verbose: false,
      ...defaultPair,
      isDefaultPair: true,
    })
  })
})

describe('given options', () => {
  it.each([
    [['--port', '0'], { port: 0 }],
    [['--port=65535'], { port: 65_535 }],
    [['--host', '::1'], { host: '::1' }],
    [['--data', 'some where'], { directory: 'some where', dynamodb: undefined }],
    [['--memory'], { directory: undefined, dynamodb: undefined }],
    [['--dynamodb', 'http://127.0.0.1:8000'], { directory: undefined, dynamodb: 'http://127.0.0.1:8000' }],
    [['--verbose'], { verbose: true }],
  ])('when they are %j, then it is %j', (args, expected) => {
    expect(readOptions(args, {})).toMatchObject(expected)
  })

  it.each([[['--help']], [['-h', '--port', '1']]])('when they are %j, then only the usage is asked for', (args) => {
    expect(readOptions(args, {})).toBeUndefined()
  })

  it('when one is accepted, then the usage tells of it', () => {
    for (const option of ['port', 'host', 'data', 'memory', 'dynamodb', 'verbose', 'help'])
      expect(usage).toMatch(new RegExp(`^  --${option} `, 'm'))
  })
})

describe('given options that npm has taken', () => {
  const taken = { npm_config_memory: 'true' }

  it('when it was npm that started, then that is said', () => {
    const fault = 'npm took --memory for its own: write npm start -- --memory'
    expect(() => readOptions([], { npm_lifecycle_event: 'start', ...taken })).toThrow(fault)
  })

  it('when npm has started something else, then they were meant for that', () => {
    expect(readOptions([], { npm_lifecycle_event: 'test', ...taken })).toMatchObject({ directory: '.cmq' })
  })
})

describe('given options that cannot be', () => {
  it.each([
    [['--nope'], "Unknown option '--nope'; see npm start -- --help"],
    [['8080'], "Unexpected argument '8080'; see npm start -- --help"],
    [['--port'], "Option '--port <value>' argument missing; see npm start -- --help"],
    [['--memory=yes'], "Option '--memory' does not take an argument; see npm start -- --help"],
    [['--port', 'x'], '--port takes a port number, not x'],
    [['--port', ''], '--port takes a port number, not '],
    [['--port=-1'], '--port takes a port number, not -1'],
    [['--port', '65536'], '--port takes a port number, not 65536'],
    [['--port', '1e3'], '--port takes a port number, not 1e3'],
    [['--memory', '--data', 'd'], 'give --memory or --data, not both'],
    [['--dynamodb', 'localhost:8000'], '--dynamodb takes a URL, not localhost:8000'],
    [['--dynamodb', 'ftp://127.0.0.1'], '--dynamodb takes a URL, not ftp://127.0.0.1'],
    [['--dynamodb', 'http://x', '--memory'], '--dynamodb keeps the messages elsewhere: leave --memory and --data out'],
    [['--dynamodb', 'http://x', '--data=d'], '--dynamodb keeps the messages elsewhere: leave --memory and --data out'],
    [['--data', ''], '--data takes a directory'],
    [['--host', ''], '--host takes an address'],
  ])('when they are %j, then that is said in one line', (args, message) => {
    expect(() => readOptions(args, {})).toThrow(new LocalError(message))
  })
})

describe('given a key pair', () => {
  it('when it is set, then it is the pair, and not one that everybody knows', () => {
    expect(readOptions([], ownPair)).toMatchObject({
      secretId: 'AKIDmine',
      secretKey: 'my own',
      isDefaultPair: false,
    })
  })

  it.each([{ CMQ_SECRET_ID: 'AKIDmine' }, { CMQ_SECRET_KEY: 'my own' }, { ...ownPair, CMQ_SECRET_KEY: '' }])(
    'when half of it is set (%j), then it is refused',
    (environment) => {
      const half = 'set both CMQ_SECRET_ID and CMQ_SECRET_KEY, or neither'
      expect(() => readOptions([], environment)).toThrow(new LocalError(half))
    },
  )

  it.each([{}, { CMQ_SECRET_ID: '', CMQ_SECRET_KEY: '' }])(
    'when it is not set (%j), then it is the default',
    (none) => {
      expect(readOptions([], none)).toMatchObject({ ...defaultPair, isDefaultPair: true })
    },
  )
})

describe('given an address to listen on', () => {
  const everybody = ['0.0.0.0', '::', '192.168.1.2', 'example.com', '::ffff:10.0.0.1', '128.0.0.1']
  const everybodyKnows = { CMQ_SECRET_ID: 'AKIDmine', CMQ_SECRET_KEY: 'local-secret' }

  it.each(everybody)('when others may reach %s and the key is one that everybody knows, then it is refused', (host) => {
    const message =
      `refusing to listen on ${host} with a key pair that everybody knows: ` + 'set CMQ_SECRET_ID and CMQ_SECRET_KEY'
    for (const environment of [{}, everybodyKnows])
      expect(() => readOptions(['--host', host], environment)).toThrow(new LocalError(message))
  })

  it.each(everybody)('when others may reach %s and the pair is its own, then it may be', (host) => {
    expect(readOptions(['--host', host], ownPair)).toMatchObject({ host })
  })

  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('when it is %s, then any pair will do', (host) => {
    expect(readOptions(['--host', host], {})).toMatchObject({ host })
  })
})
