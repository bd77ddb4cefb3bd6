/** Answers and events from the wire in the plain form that the judges compare. */
import { latin1Of } from '../../../src/core/base/bytes.ts'
import { Event_EventType, type Event, type KeyValue } from '../../../src/core/proto/gen/kv.ts'
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  TxnResponse,
} from '../../../src/core/proto/gen/rpc.ts'
import type { WatchedEvent } from '../../simulation/harness/history.ts'
import {
  leaseText,
  type PlainAnswer,
  type PlainPair,
} from '../../simulation/harness/store-model.ts'

/** The answer to a put. */
export function plainPut(response: PutResponse): PlainAnswer {
  return { kind: 'put', revision: revisionOf(response), previous: plainPair(response.prevKv) }
}

/** The answer to a delete. */
export function plainDelete(response: DeleteRangeResponse): PlainAnswer {
  return {
    kind: 'deleteRange',
    revision: revisionOf(response),
    deletedCount: Number(response.deleted),
    previous: response.prevKvs.map(pairOf),
  }
}

/** The answer to a range. */
export function plainRange(response: RangeResponse): PlainAnswer & { kind: 'range' } {
  return {
    kind: 'range',
    revision: revisionOf(response),
    pairs: response.kvs.map(pairOf),
    count: Number(response.count),
    hasMore: response.more,
  }
}

/** The answer to a transaction, with those of its operations. */
export function plainTxn(response: TxnResponse): PlainAnswer {
  return {
    kind: 'txn',
    revision: revisionOf(response),
    hasSucceeded: response.succeeded,
    answers: response.responses.map(plainOperation),
  }
}

/** An event as a watch tells it. */
export function plainEvent(event: Event): WatchedEvent {
  const { kv } = event
  if (kv === undefined) throw new Error('an event without a key')
  const isDelete = event.type === Event_EventType.DELETE
  return {
    kind: isDelete ? 'delete' : 'put',
    key: latin1Of(kv.key),
    revision: Number(kv.modRevision),
    pair: isDelete ? undefined : pairOf(kv),
    previous: plainPair(event.prevKv),
  }
}

/** The revision in an answer's header; 0 without one. */
export function revisionOf(response: { readonly header: ResponseHeader | undefined }): number {
  return Number(response.header?.revision ?? 0n)
}

function plainOperation({ response }: ResponseOp): PlainAnswer {
  switch (response?.$case) {
    case 'responsePut':
      return plainPut(response.value)
    case 'responseDeleteRange':
      return plainDelete(response.value)
    case 'responseRange':
      return plainRange(response.value)
    case 'responseTxn':
      return plainTxn(response.value)
    case undefined:
      throw new Error('an operation of a transaction was not answered')
  }
}

function plainPair(pair: KeyValue | undefined): PlainPair | undefined {
  return pair && pairOf(pair)
}

/** A pair from the wire. */
export function pairOf(pair: KeyValue): PlainPair {
  const lease = leaseText(pair.lease)
  return {
    key: latin1Of(pair.key),
    value: latin1Of(pair.value),
    create: Number(pair.createRevision),
    mod: Number(pair.modRevision),
    version: Number(pair.version),
    ...(lease === undefined ? {} : { lease }),
  }
}
