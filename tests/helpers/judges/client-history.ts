/** What clients of real processes saw: operations, leases that were ended, and watches message by message. */
import { latin1Of } from '../../../src/core/base/bytes.ts'
import type { OperationRecord, WatchedEvent } from '../../simulation/harness/history.ts'

/** A lease that a client revoked. */
export interface LeaseEnding {
  readonly lease: string
  readonly startUs: number
  readonly endUs: number
  /** Revision of the answer; undefined where the outcome is unknown. */
  readonly revision: number | undefined
}

/** One message of a watch as it came from the wire. */
export interface WatchMessage {
  readonly atUs: number
  readonly isCreated: boolean
  readonly isCanceled: boolean
  /** Zero unless the server says that it compacted what was asked for. */
  readonly compactRevision: number
  /** More of the same follows in the next message. */
  readonly isFragment: boolean
  /** Of the header. */
  readonly revision: number
  readonly events: readonly WatchedEvent[]
}

/** One watch on one stream, from its request to the end of the stream. */
export interface WatchStream {
  readonly node: string
  /** As asked for; 0: from now on. */
  readonly startRevision: number
  readonly messages: WatchMessage[]
}

/** One watch over any number of streams, each of which begins behind what the one before delivered. */
export interface WatchRecord {
  readonly name: string
  readonly startKey: string
  /** As on the wire: empty for one key, a zero byte for all from the first on. */
  readonly rangeEnd: string
  readonly isWithoutPuts: boolean
  readonly isWithoutDeletes: boolean
  readonly hasPrevious: boolean
  readonly streams: WatchStream[]
}

/** Everything that the clients of one cluster saw, from its first revision on. */
export interface ClientHistory {
  readonly operations: OperationRecord[]
  readonly leaseEndings: LeaseEnding[]
  readonly watches: WatchRecord[]
}

/** A history as JSON, a line per operation and watch, to be looked at. */
export function historyText({ operations, leaseEndings, watches }: ClientHistory): string {
  const plain = (_: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return String(value)
    return value instanceof Uint8Array ? latin1Of(value) : value
  }
  return [...operations, ...leaseEndings, ...watches]
    .map((record) => `${JSON.stringify(record, plain)}\n`)
    .join('')
}
