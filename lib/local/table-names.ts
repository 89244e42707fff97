import type { Table } from '../tables.ts'

/** What the tables are called where no deployment has named them. */
export const tableNames: Readonly<Record<Table, string>> = {
  registry: 'cmq-registry',
  messages: 'cmq-messages',
  deliveries: 'cmq-deliveries',
  bodies: 'cmq-bodies',
}
