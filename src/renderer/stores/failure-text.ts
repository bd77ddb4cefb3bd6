/** A failed call as the four parts of an error notice: tried, happened, why, do. */

import { CallError } from '../api/bridge.ts'

/** What the screens show of a failure; `details` is the raw text. */
export interface ShownError {
  readonly title: string
  readonly rows: readonly { readonly label: string; readonly text: string }[]
  readonly details: string
}

/**
 * Passes over a call that was refused or failed, where the caller can do without its answer. Anything else is a fault of this
 * program, and is thrown again.
 */
export function passOverCall(failure: unknown): void {
  if (!(failure instanceof CallError)) throw failure
}

type Translate = (key: string, named?: Record<string, unknown>) => string

/** Codes that have a sentence of their own in `errors.<code>`. */
const known: ReadonlySet<string> = new Set([
  'compacted',
  'futureRevision',
  'noSpace',
  'requestTooLarge',
  'permissionDenied',
  'noLeader',
  'leaderChanged',
  'timeout',
  'unreachable',
  'readOnly',
  'userEmpty',
  'authFailed',
  'invalidAuthToken',
  'file',
  'leaseNotFound',
  'unhealthy',
  'nodeState',
])

/**
 * Words for an error.
 *
 * @param title  what did not work, for example "The value was not saved"
 * @param tried  what was asked, for example "Save /app/flags"
 */
export function shownError(
  error: unknown,
  texts: { readonly title: string; readonly tried: string; readonly t: Translate },
): ShownError {
  const { title, tried, t } = texts
  const failure = error instanceof CallError ? error.failure : undefined
  const message = error instanceof Error ? error.message : String(error)
  const rows = [
    { label: t('errors.tried'), text: tried },
    { label: t('errors.happened'), text: message },
  ]
  if (failure !== undefined && known.has(failure.code)) {
    const isUserKnown = failure.code === 'permissionDenied' && failure.details['user'] !== undefined
    const why = isUserKnown ? 'whyUser' : 'why'
    rows.push({
      label: t('errors.why'),
      text: t(`errors.codes.${failure.code}.${why}`, { ...failure.details }),
    })
    rows.push({
      label: t('errors.do'),
      text: t(`errors.codes.${failure.code}.do`, { ...failure.details }),
    })
  } else if (failure?.isOutcomeUnknown === true) {
    rows.push({ label: t('errors.do'), text: t('errors.outcomeUnknown') })
  } else if (failure?.isRetryable === true) {
    rows.push({ label: t('errors.do'), text: t('errors.retry') })
  }
  return { title, rows, details: detailsOf(failure, message) }
}

/** One line for a narrow place. */
export function failureLine(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** True when the revision asked for was compacted away. */
export function isCompacted(error: unknown): boolean {
  return error instanceof CallError && error.failure.code === 'compacted'
}

/** True when a lease that was named expired or was revoked. */
export function isLeaseGone(error: unknown): boolean {
  return error instanceof CallError && error.failure.code === 'leaseNotFound'
}

/** True when the same question may be answered later: the cluster does not answer now. */
export function mayAnswerLater(error: unknown): boolean {
  return error instanceof CallError && error.failure.isRetryable
}

/** True when the user of the connection may not do what was asked. */
export function isNotPermitted(error: unknown): boolean {
  return error instanceof CallError && error.failure.code === 'permissionDenied'
}

/** True when the revision asked for is newer than the cluster. */
export function isFutureRevision(error: unknown): boolean {
  return error instanceof CallError && error.failure.code === 'futureRevision'
}

function detailsOf(failure: CallError['failure'] | undefined, message: string): string {
  if (failure === undefined) return message
  const status = failure.grpcStatus === undefined ? '' : ` (${failure.grpcStatus})`
  const figures = Object.entries(failure.details).map(([name, value]) => `${name}=${String(value)}`)
  return [`${failure.code}${status}: ${message}`, ...figures].join('\n')
}
