/** Stored pairs and answers in the types of this program: revisions as safe integers, ids branded. */

import { prefixEnd } from '../base/bytes.ts'
import {
  clusterId,
  leaseId,
  nodeId,
  type ClusterId,
  type LeaseId,
  type NodeId,
} from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { KeyValue as WireKeyValue } from '../proto/gen/kv.ts'
import type { ResponseHeader as WireHeader } from '../proto/gen/rpc.ts'

/** One key with its value as of one revision. */
export interface KeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: LeaseId
}

/** Who answered, and when in terms of the cluster's time. */
export interface ResponseHeader {
  readonly clusterId: ClusterId
  readonly memberId: NodeId
  readonly revision: number
  readonly term: number
}

/** `[start, end)`; an absent end means one key, and `toLastKey` every key from the start on. */
export interface KeyInterval {
  readonly start: Uint8Array
  readonly end?: Uint8Array | 'toLastKey'
}

const oneZeroByte = new Uint8Array(1)

/** Everything with this prefix; the empty prefix is everything. */
export function intervalOfPrefix(prefix: Uint8Array): KeyInterval {
  if (prefix.length === 0) return { start: oneZeroByte, end: 'toLastKey' }
  return { start: prefix, end: prefixEnd(prefix) ?? 'toLastKey' }
}

/** The two fields of the wire: an empty range end is one key, one zero byte is everything from the key on. */
export function wireInterval(interval: KeyInterval): { key: Uint8Array; rangeEnd: Uint8Array } {
  if (interval.end === undefined) return { key: interval.start, rangeEnd: new Uint8Array(0) }
  const key = interval.start.length === 0 ? oneZeroByte : interval.start
  return { key, rangeEnd: interval.end === 'toLastKey' ? oneZeroByte : interval.end }
}

/** A revision, version, index or term from the wire; the server's signed 64 bits must be a safe integer. */
export function safeNumber(value: bigint): number {
  const result = Number(value)
  if (!Number.isSafeInteger(result)) {
    throw new StoreError('unrecognized', {
      serverText: `a number out of range: ${value.toString()}`,
    })
  }
  return result
}

export function keyValueOf(pair: WireKeyValue): KeyValue {
  return {
    key: pair.key,
    value: pair.value,
    createRevision: safeNumber(pair.createRevision),
    modRevision: safeNumber(pair.modRevision),
    version: safeNumber(pair.version),
    lease: leaseId(pair.lease),
  }
}

/** A server leaves the header out of some answers only by mistake; zeros then say that nothing is known. */
export function headerOf(header: WireHeader | undefined): ResponseHeader {
  return {
    clusterId: clusterId(header?.clusterId ?? 0n),
    memberId: nodeId(header?.memberId ?? 0n),
    revision: safeNumber(header?.revision ?? 0n),
    term: safeNumber(header?.raftTerm ?? 0n),
  }
}
