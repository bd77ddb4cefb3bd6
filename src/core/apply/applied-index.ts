/**
 * How far the state machine has come: index, term and Raft configuration of the last applied entry.
 *
 * Written into the very batch that holds the entry's effects, and read back at start: entries up to here are skipped.
 * Bucket `meta`, as etcd has it: `consistent_index` and `term`, 8 bytes big endian each; `confState`, JSON with voter ids
 * as plain numbers: `{"voters":[1,2],"learners":[3],"auto_leave":false}`.
 */
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import { encodeUint64, metaKeys } from '../backend/buckets.ts'
import { nodeId, type NodeId } from '../base/ids.ts'
import { StorageFault } from '../errors/storage-fault.ts'

/** Raft's view of who takes part; the same fields as Raft's own record. */
export interface AppliedConfState {
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
  readonly votersOutgoing: readonly NodeId[]
  readonly learnersNext: readonly NodeId[]
  readonly autoLeave: boolean
}

export interface AppliedState {
  /** 0: nothing yet. */
  readonly index: number
  readonly term: number
  /** Undefined until the first configuration entry was applied. */
  readonly confState: AppliedConfState | undefined
}

/** @throws StorageFault when a record has the wrong form */
export function readAppliedState(reader: BackendReader): AppliedState {
  const confState = reader.get('meta', metaKeys.confState)
  return {
    index: readNumber(reader, metaKeys.consistentIndex),
    term: readNumber(reader, metaKeys.term),
    confState:
      confState === undefined ? undefined : decodeConfState(new TextDecoder().decode(confState)),
  }
}

/** @param state  `confState` undefined: unchanged since the last write */
export function writeAppliedState(batch: BackendBatch, state: AppliedState): void {
  batch.put('meta', metaKeys.consistentIndex, encodeUint64(state.index))
  batch.put('meta', metaKeys.term, encodeUint64(state.term))
  if (state.confState !== undefined) {
    batch.put(
      'meta',
      metaKeys.confState,
      new TextEncoder().encode(encodeConfState(state.confState)),
    )
  }
}

function readNumber(reader: BackendReader, key: Uint8Array): number {
  const bytes = reader.get('meta', key)
  if (bytes === undefined) return 0
  if (bytes.length !== 8)
    throw new StorageFault('the applied index is damaged', { path: 'bucket meta' })
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new StorageFault('the applied index is out of range', { path: 'bucket meta' })
  }
  return Number(value)
}

/** Ids need all 64 bits, which `JSON.stringify` cannot write as numbers. */
export function encodeConfState(state: AppliedConfState): string {
  const fields: string[] = []
  const list = (name: string, ids: readonly NodeId[]): void => {
    if (ids.length > 0) fields.push(`"${name}":[${ids.map((id) => id.toString()).join(',')}]`)
  }
  list('voters', state.voters)
  list('learners', state.learners)
  list('voters_outgoing', state.votersOutgoing)
  list('learners_next', state.learnersNext)
  fields.push(`"auto_leave":${state.autoLeave}`)
  return `{${fields.join(',')}}`
}

/** @throws StorageFault when the text has another form */
export function decodeConfState(text: string): AppliedConfState {
  if (!/^\{.*"auto_leave":(true|false)\}$/.test(text)) {
    throw new StorageFault('the stored configuration is damaged', { path: 'bucket meta' })
  }
  const list = (name: string): readonly NodeId[] => {
    const digits = new RegExp(`"${name}":\\[([0-9,]*)\\]`).exec(text)?.[1] ?? ''
    return digits === '' ? [] : digits.split(',').map((id) => nodeId(BigInt(id)))
  }
  return {
    voters: list('voters'),
    learners: list('learners'),
    votersOutgoing: list('voters_outgoing'),
    learnersNext: list('learners_next'),
    autoLeave: text.includes('"auto_leave":true'),
  }
}
