/** From what went wrong inside to what the wire says. Nothing else in this folder knows both sides. */
import { InvariantViolation } from '../base/assert.ts'
import { errorTable, grpcStatusNumbers, type GrpcStatusName } from '../errors/error-table.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import { StoreError } from '../errors/store-error.ts'

/** A gRPC status as it is sent. */
export interface RpcStatus {
  /** 0 to 16. */
  readonly code: number
  readonly message: string
}

/** The call succeeded. */
export const okStatus: RpcStatus = { code: grpcStatusNumbers.ok, message: '' }

/**
 * An answer of the wire itself: an unknown method, a message that cannot be read. Such failures have no entry in the
 * error table because no client tells them apart by text.
 */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly status: RpcStatus

  constructor(statusName: GrpcStatusName, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.status = { code: grpcStatusNumbers[statusName], message }
  }
}

/**
 * The status for whatever a call ended with.
 *
 * An error that nobody expected travels as Unknown with its own text, as etcd does.
 */
export function statusOfError(error: unknown): RpcStatus {
  if (error instanceof StoreError) {
    const description = errorTable[error.code]
    return { code: grpcStatusNumbers[description.status], message: description.text }
  }
  if (error instanceof WireError) return error.status
  const message = error instanceof Error ? error.message : String(error)
  return { code: grpcStatusNumbers.unknown, message }
}

/** Whether the process must not go on: a bug of ours, or data that can no longer be trusted. */
export function isFatal(error: unknown): boolean {
  return error instanceof InvariantViolation || error instanceof StorageFault
}
