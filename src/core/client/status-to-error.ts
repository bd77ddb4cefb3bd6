/**
 * What a failed call becomes: a `StoreError` whose code is found by the text that the protocol fixes.
 *
 * The status alone is not enough (a dozen refusals share InvalidArgument), and the text alone is what official clients
 * compare too. Failures of the transport have no fixed text; they become `unreachable`.
 */

import { status as grpcStatus, type ServiceError } from '@grpc/grpc-js'
import { errorTable, type GrpcStatusName, type StoreErrorCode } from '../errors/error-table.ts'
import { StoreError } from '../errors/store-error.ts'

const codesByText = new Map<string, StoreErrorCode>(
  (Object.keys(errorTable) as StoreErrorCode[]).map((code) => [errorTable[code].text, code]),
)

const statusNames: ReadonlyMap<number, GrpcStatusName> = new Map([
  [grpcStatus.CANCELLED, 'canceled'],
  [grpcStatus.UNKNOWN, 'unknown'],
  [grpcStatus.INVALID_ARGUMENT, 'invalidArgument'],
  [grpcStatus.DEADLINE_EXCEEDED, 'deadlineExceeded'],
  [grpcStatus.NOT_FOUND, 'notFound'],
  [grpcStatus.ALREADY_EXISTS, 'alreadyExists'],
  [grpcStatus.PERMISSION_DENIED, 'permissionDenied'],
  [grpcStatus.RESOURCE_EXHAUSTED, 'resourceExhausted'],
  [grpcStatus.FAILED_PRECONDITION, 'failedPrecondition'],
  [grpcStatus.ABORTED, 'aborted'],
  [grpcStatus.OUT_OF_RANGE, 'outOfRange'],
  [grpcStatus.UNIMPLEMENTED, 'unimplemented'],
  [grpcStatus.INTERNAL, 'internal'],
  [grpcStatus.UNAVAILABLE, 'unavailable'],
  [grpcStatus.DATA_LOSS, 'dataLoss'],
  [grpcStatus.UNAUTHENTICATED, 'unauthenticated'],
])

/**
 * The library's words for a call that never left: no connection was made in time, or the name did not resolve. Any other
 * broken transport may have carried the request to the server.
 */
const neverSentTexts = [
  'No connection established',
  'Name resolution failed',
  'Channel closed before call started',
  'Stream refused by server',
]

/** Refusals that a server makes before it proposes anything, although their status sounds like a lost answer. */
const refusedUnproposedCodes: ReadonlySet<StoreErrorCode> = new Set([
  'noLeader',
  'notCapable',
  'tooManyRequests',
  'unhealthy',
])

/** A failed call, judged. */
export interface CallFailure {
  readonly error: StoreError
  /** The status with which the call ended. */
  readonly status: GrpcStatusName
  /** The request cannot have had any effect: it never left, or it was refused unproposed. */
  readonly isWithoutEffect: boolean
  /** The transport failed, not the server: another endpoint should be tried. */
  readonly isTransportFailure: boolean
}

/** Where a call went, and as whom. */
export interface CallPlace {
  readonly url: string
  /** Absent where the cluster is not asked as anybody. */
  readonly user?: string | undefined
}

/** The judgement on an endpoint to which no connection came about, so that nothing was sent. */
export function unreachableFailure(endpoint: string, reason: string): CallFailure {
  const details = { endpoint, grpcStatus: 'unavailable', serverText: reason, isNeverSent: true }
  return {
    error: new StoreError('unreachable', details),
    status: 'unavailable',
    isWithoutEffect: true,
    isTransportFailure: true,
  }
}

/**
 * Judges the failure of a call.
 *
 * @param place  what was called, for the details
 * @returns      `details` holds `endpoint`, `grpcStatus`, `serverText`, when true `isNeverSent`, and the `user` who may not
 */
export function callFailureOf(error: ServiceError, place: CallPlace): CallFailure {
  const status = statusNames.get(error.code) ?? 'unknown'
  const text = withoutPlumbing(error.details)
  const knownCode = codesByText.get(text)
  const isNeverSent =
    status === 'unavailable' && neverSentTexts.some((start) => text.startsWith(start))
  const code = knownCode ?? codeOfText(text) ?? codeWithoutText(status)
  const details = {
    endpoint: place.url,
    grpcStatus: status,
    serverText: text,
    ...(isNeverSent ? { isNeverSent } : {}),
    ...userOf(code, place),
  }
  return {
    error: new StoreError(code, details, { cause: error }),
    status,
    isWithoutEffect: isNeverSent || isRefusal(status) || refusedUnproposedCodes.has(code),
    isTransportFailure: code === 'unreachable',
  }
}

/** The judgement on a text that cancels a watch, which arrives without a status. */
export function failureOfCancelReason(reason: string, place: CallPlace): CallFailure {
  // Refusals by the permission check wrap the status into the text.
  const wrapped = /^rpc error: code = \w+ desc = (.*)$/.exec(reason)
  const text = wrapped?.[1] ?? reason
  const code = codesByText.get(text) ?? 'unrecognized'
  return {
    error: new StoreError(code, { endpoint: place.url, serverText: text, ...userOf(code, place) }),
    status: errorTable[code].status,
    isWithoutEffect: true,
    isTransportFailure: false,
  }
}

/** Behind a deadline the library tells how long each of its own steps took, which is no part of the failure. */
function withoutPlumbing(text: string): string {
  return text.startsWith('Deadline exceeded after') ? (text.split(',')[0] ?? text) : text
}

/** Servers do not say whom they refuse. */
function userOf(code: StoreErrorCode, { user }: CallPlace): { readonly user?: string } {
  return code === 'permissionDenied' && user !== undefined ? { user } : {}
}

/** A request above the size of a message is refused before anybody looks at it, in words of the transport with figures. */
function codeOfText(text: string): StoreErrorCode | undefined {
  return text.startsWith('grpc: received message larger than max') ? 'requestTooLarge' : undefined
}

function codeWithoutText(status: GrpcStatusName): StoreErrorCode {
  switch (status) {
    case 'unavailable':
      return 'unreachable'
    case 'deadlineExceeded':
      return 'contextDeadlineExceeded'
    case 'canceled':
      return 'contextCanceled'
    case 'permissionDenied':
      return 'permissionDenied'
    default:
      return 'unrecognized'
  }
}

/** A server that answers with one of these has decided against the request. */
function isRefusal(status: GrpcStatusName): boolean {
  switch (status) {
    case 'invalidArgument':
    case 'notFound':
    case 'alreadyExists':
    case 'permissionDenied':
    case 'resourceExhausted':
    case 'failedPrecondition':
    case 'outOfRange':
    case 'unimplemented':
    case 'unauthenticated':
      return true
    default:
      return false
  }
}
