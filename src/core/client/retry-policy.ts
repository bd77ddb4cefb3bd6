/**
 * Which calls may be repeated, how often, how long apart.
 *
 * The rule is that of etcd's own client: a read is repeated whenever the cluster was unavailable; a write only when it
 * never left, or was refused before it was proposed. A write whose answer was lost is reported with
 * `isOutcomeUnknown: true` in its details: it may or may not have taken effect, and only a person or a read can tell.
 */

import type { Clock } from '../base/clock.ts'
import { delay } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { StoreError } from '../errors/store-error.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import type { CallOptions, CallResult, Endpoint } from './endpoint.ts'
import type { BoundMethod } from './rpc-method.ts'
import { unreachableFailure, type CallFailure } from './status-to-error.ts'

/** Time for a call with all its repetitions: an election, twice over, with some room. */
const totalTimeoutMs = 10_000
/**
 * A read that waits longer than this is tried elsewhere: the member may be paused or cut off. Where there is no elsewhere it is
 * waited for: etcd does not stop a read that nobody waits for any more, so asking a slow one again makes it slower.
 */
const readAttemptTimeoutMs = 3_000
/** A connection that takes longer than this is looked for elsewhere. */
const connectTimeoutMs = 1_000
/** With every endpoint refusing connections, waiting longer tells nothing new. */
const unreachableTimeoutMs = 3_000
const pauseMinMs = 25
const pauseMaxMs = 500

export interface RepeatableCall {
  readonly kind: 'read' | 'write'
  readonly signal?: AbortSignal | undefined
  /** Time for everything; the default is ten seconds. */
  readonly timeoutMs?: number
}

/** What the caller needs to bring along. */
export interface CallEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly pool: EndpointPool
}

/**
 * Calls through the active endpoint, and through others when it fails.
 *
 * @throws StoreError  as the last attempt failed; for a write whose effect is not known the details say
 *                     `isOutcomeUnknown: true`
 */
export async function callWithRetry<Request, Response>(
  environment: CallEnvironment,
  method: BoundMethod<Request, Response>,
  request: Request,
  call: RepeatableCall,
): Promise<Response> {
  const { clock, pool, random } = environment
  const startedAtMs = clock.monotonicMs()
  const endsAtMs = startedAtMs + (call.timeoutMs ?? totalTimeoutMs)
  let isUnreachableOnly = true
  for (let attempt = 1; ; attempt++) {
    const remainingMs = Math.max(1, endsAtMs - clock.monotonicMs())
    const endpoint = pool.active()
    const canMoveOn = call.kind === 'read' && pool.endpoints.length > 1
    const result = await attemptCall(endpoint, method, request, {
      timeoutMs: canMoveOn ? Math.min(remainingMs, readAttemptTimeoutMs) : remainingMs,
      needsLeader: false,
      signal: call.signal,
    })
    if (result.ok) {
      pool.markReady(endpoint)
      return result.response
    }
    const { failure } = result
    if (call.signal?.aborted === true) throw failure.error
    if (failure.isTransportFailure) pool.markFailed(endpoint, reasonOf(failure))
    else if (isTroubleOfMember(failure)) pool.moveOnFrom(endpoint)
    if (!failure.isWithoutEffect || !failure.isTransportFailure) isUnreachableOnly = false
    const pauseMs =
      Math.min(pauseMaxMs, pauseMinMs * 2 ** (attempt - 1)) * (0.5 + random.fraction())
    const isTimeUp =
      clock.monotonicMs() + pauseMs >=
      (isUnreachableOnly ? Math.min(endsAtMs, startedAtMs + unreachableTimeoutMs) : endsAtMs)
    if (isTimeUp || !mayRepeat(failure, call.kind)) {
      throw call.kind === 'write' ? withOutcome(failure) : failure.error
    }
    await pause(clock, pauseMs, call.signal)
  }
}

async function pause(
  clock: Clock,
  durationMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await delay(clock, durationMs, signal)
  } catch (error) {
    if (signal?.aborted !== true) throw error
    throw new StoreError('contextCanceled', {}, { cause: error })
  }
}

/** One attempt at one endpoint, sent only over a connection that stands. Never rejects. */
export async function attemptCall<Request, Response>(
  endpoint: Endpoint,
  method: BoundMethod<Request, Response>,
  request: Request,
  options: CallOptions,
): Promise<CallResult<Response>> {
  if (endpoint.channelState() !== 'ready') {
    const state = await endpoint.waitForChannel(Math.min(connectTimeoutMs, options.timeoutMs))
    // Over TLS the call itself brings back why no connection was made: names, dates, or who signed.
    const tellsWhy = state === 'failed' && endpoint.isSecure
    if (state !== 'ready' && !tellsWhy) {
      const reason = state === 'closed' ? 'the connection was closed' : 'no connection was made'
      return { ok: false, failure: unreachableFailure(endpoint.url, reason) }
    }
  }
  return endpoint.call(method, request, options)
}

/** One sentence about why an endpoint could not be called. */
export function reasonOf(failure: CallFailure): string {
  const { serverText } = failure.error.details
  return typeof serverText === 'string' && serverText !== '' ? serverText : failure.error.message
}

function mayRepeat(failure: CallFailure, kind: RepeatableCall['kind']): boolean {
  switch (failure.status) {
    case 'unavailable':
      return kind === 'read' || failure.isWithoutEffect
    // Our own limit for one attempt: the member is silent.
    case 'deadlineExceeded':
      return kind === 'read'
    // `too many requests` travels with the status Unknown.
    case 'unknown':
      return failure.error.code === 'tooManyRequests'
    default:
      return false
  }
}

/** The member answered, or kept silent, in a way that another member may do better. */
function isTroubleOfMember(failure: CallFailure): boolean {
  return (
    failure.status === 'unavailable' ||
    failure.status === 'deadlineExceeded' ||
    failure.error.code === 'notSupportedForLearner'
  )
}

function withOutcome(failure: CallFailure): StoreError {
  if (failure.isWithoutEffect) return failure.error
  const { error } = failure
  return new StoreError(
    error.code,
    { ...error.details, isOutcomeUnknown: true },
    { cause: error.cause },
  )
}
