/** Failures of any kind as the plain data that crosses to the page. */

import { errorTable } from '../../core/errors/error-table.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import type { BridgeError } from '../../preload/contract/reply.ts'
import { HostError } from '../host-error.ts'

/**
 * Whether a failure was expected. Anything else is a bug: it is logged where it was caught, and the page learns only that
 * there was one.
 */
export function isExpectedFailure(error: unknown): error is StoreError | HostError {
  return error instanceof StoreError || error instanceof HostError
}

/** The failure as plain data. Texts and figures of bugs stay in the log file. */
export function bridgeErrorOf(error: unknown): BridgeError {
  if (error instanceof StoreError) return bridgeErrorOfStore(error)
  if (error instanceof HostError) {
    return {
      code: error.code,
      message: error.message,
      isRetryable: false,
      isOutcomeUnknown: false,
      details: {},
    }
  }
  return {
    code: 'internal',
    message: 'Something went wrong inside of the app; the log file has the details',
    isRetryable: false,
    isOutcomeUnknown: false,
    details: {},
  }
}

function bridgeErrorOfStore(error: StoreError): BridgeError {
  const { serverText, grpcStatus, isOutcomeUnknown, user } = error.details
  const hasOwnText = error.code === 'unrecognized' || error.code === 'unreachable'
  const text = hasOwnText && typeof serverText === 'string' && serverText !== '' ? serverText : ''
  return {
    code: error.code,
    message: `${error.message}${text === '' ? '' : `: ${text}`}${typeof user === 'string' ? ` for ${user}` : ''}`,
    ...(typeof grpcStatus === 'string' ? { grpcStatus } : {}),
    isRetryable: errorTable[error.code].isRetryable,
    isOutcomeUnknown: isOutcomeUnknown === true,
    details: plainDetails(error.details),
  }
}

function plainDetails(details: StoreError['details']): BridgeError['details'] {
  const plain: Record<string, string | number | bigint | boolean> = {}
  for (const [name, value] of Object.entries(details)) {
    switch (typeof value) {
      case 'string':
      case 'number':
      case 'bigint':
      case 'boolean':
        plain[name] = value
        break
      default:
        // Anything deeper would not survive the crossing, and no screen shows it.
        break
    }
  }
  return plain
}
