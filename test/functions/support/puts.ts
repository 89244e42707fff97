import type { Client } from '../../support/service.ts'

/** How many items were put into each table, by its name without what makes that unique; the registry aside. */
export function countPuts(client: Client): Record<string, number> {
  const puts: Record<string, number> = {}
  const count = (table: string, items: number) => {
    const name = table.replace(/-.*/, '')
    if (name !== 'registry') puts[name] = (puts[name] ?? 0) + items
  }
  client.middlewareStack.add(
    (next, context) => (args) => {
      const { TableName = '', RequestItems = {} } = args.input as {
        readonly TableName?: string
        readonly RequestItems?: Readonly<Record<string, readonly unknown[]>>
      }
      if (context.commandName === 'PutItemCommand') count(TableName, 1)
      if (context.commandName === 'BatchWriteItemCommand')
        for (const [table, requests] of Object.entries(RequestItems)) count(table, requests.length)
      return next(args)
    },
    { step: 'initialize', priority: 'high', name: 'puts' },
  )
  return puts
}
