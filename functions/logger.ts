import { Logger } from '@aws-lambda-powertools/logger'

/** One structured line a request, and one for each failure nobody expected. Never a body, never a secret. */
export const logger = new Logger({ serviceName: 'cmq' })
