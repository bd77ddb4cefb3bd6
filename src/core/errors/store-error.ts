import { errorTable, type StoreErrorCode } from './error-table.ts'

/**
 * An expected failure: refused, not found, compacted, no leader, timed out.
 *
 * The message is the wire text of its code; `details` carries what was asked and what stood in the way, for log lines
 * and screens, never for the wire.
 *
 * It carries no stack: refusals are answers, they may come as often as requests do, and collecting a stack costs more than
 * serving one. Where it came from, its code and details tell.
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
    const { stackTraceLimit } = errorSettings
    // Nothing else runs between the two assignments.
    errorSettings.stackTraceLimit = 0
    super(errorTable[code].text, { cause: options.cause })
    errorSettings.stackTraceLimit = stackTraceLimit
    this.code = code
    this.details = details
  }
}

/** V8's knob, which is not in the language and so not in the types of the pure layers. */
const errorSettings = Error as { stackTraceLimit?: number | undefined }
