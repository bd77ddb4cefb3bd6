import { errorTable, type StoreErrorCode } from './error-table.ts'

/**
 * An expected failure: refused, not found, compacted, no leader, timed out.
 *
 * The message is the wire text of its code; `details` carries what was asked and what stood in the way, for log lines
 * and screens, never for the wire.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: StoreErrorCode,
    details: Readonly<Record<string, unknown>> = {},
    options: { cause?: unknown } = {},
  ) {
    super(errorTable[code].text, { cause: options.cause })
    this.code = code
    this.details = details
  }
}
