import { parseArgs } from 'node:util'
import type { Access } from '../support/cmq-client.ts'

export const usage = `npm run smoke -- --endpoint URL --secret-id ID --secret-key KEY

  --endpoint URL     what cdk deploy printed as Endpoint, or http://127.0.0.1:8080 for npm start
  --secret-id ID     or the variable CMQ_SECRET_ID
  --secret-key KEY   or the variable CMQ_SECRET_KEY, which nobody sees in a list of processes

Checks a deployed service from outside, in less than two minutes, and deletes what it creates: queues and topics whose names
begin with smoke-. It exits with 1 when a check fails.`

type Environment = Readonly<Record<string, string | undefined>>

/** What is to be checked; undefined when only the usage is asked for. Throws what is wrong with the command line. */
export function readOptions(args: readonly string[], environment: Environment): Access | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      endpoint: { type: 'string' },
      'secret-id': { type: 'string' },
      'secret-key': { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return undefined
  const secretId = values['secret-id'] ?? environment['CMQ_SECRET_ID']
  const secretKey = values['secret-key'] ?? environment['CMQ_SECRET_KEY']
  if (!values.endpoint || !secretId || !secretKey)
    throw new Error('--endpoint, --secret-id and --secret-key are needed')
  return { endpoint: urlOf(values.endpoint), secretId, secretKey }
}

function urlOf(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new Error(`--endpoint takes a URL that begins with http:// or https://, not ${text}`)
  return text
}
