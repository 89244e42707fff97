import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { type EngineKind, installedKinds, startEngine } from '../../lib/local/engine.ts'
import { connect } from '../../lib/store/connection.ts'

/** An empty DynamoDB in memory for one test file: start it in `beforeAll`, stop it in `afterAll`. */
export async function testEngine(
  kind: EngineKind = 'dynoxide',
): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  const { endpoint, stop } = await startEngine({ kind })
  return { endpoint, stop }
}

/** Every engine that this machine can run, for suites that must hold on each: `describe.each(engineKinds())`. */
export function engineKinds(): EngineKind[] {
  return [...installedKinds()]
}

/** A client of an engine, which may take its time on a busy machine: nothing is to fail by that. */
export const patientClient = (endpoint: string): DynamoDBClient => connect({ endpoint, attemptTimeout: 20_000 })
