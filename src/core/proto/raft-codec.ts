/**
 * Bytes of the `raftpb` messages, written by hand.
 *
 * Two reasons: entries and messages are encoded once per request, and etcd's proto2 form puts zero-valued fields on the
 * wire, which its own tools and members expect byte for byte in checksummed places. The shapes here are structural twins
 * of those in `raft/message.ts`; ids are plain 64-bit `bigint`s.
 */
import { type ByteReader, MalformedMessage } from './byte-reader.ts'
import { type ByteWriter, varint64Size, varintSize } from './byte-writer.ts'

/** raftpb.Entry. `kind` in the order of EntryType. */
export interface WireEntry {
  readonly index: number
  readonly term: number
  readonly kind: 'normal' | 'confChange' | 'confChangeV2'
  readonly data: Uint8Array
}

/** raftpb.HardState. */
export interface WireHardState {
  readonly term: number
  readonly vote: bigint
  readonly commit: number
}

/** raftpb.ConfState. */
export interface WireConfState {
  readonly voters: readonly bigint[]
  readonly learners: readonly bigint[]
  readonly votersOutgoing: readonly bigint[]
  readonly learnersNext: readonly bigint[]
  readonly autoLeave: boolean
}

/** raftpb.SnapshotMetadata. */
export interface WireSnapshotMetadata {
  readonly index: number
  readonly term: number
  readonly confState: WireConfState
}

/** raftpb.Snapshot. */
export interface WireSnapshot {
  readonly data: Uint8Array
  readonly metadata: WireSnapshotMetadata
}

const entryKinds = ['normal', 'confChange', 'confChangeV2'] as const
const noBytes = new Uint8Array(0)

/** Bytes that {@link writeEntry} will write. */
export function entrySize(entry: WireEntry): number {
  const fixed = 4 + varintSize(entry.term) + varintSize(entry.index)
  const length = entry.data.length
  return length === 0 ? fixed : fixed + 1 + varintSize(length) + length
}

/** Appends raftpb.Entry; empty data is left out, as etcd does for the entry that opens a term. */
export function writeEntry(writer: ByteWriter, entry: WireEntry): void {
  writer.byte(0x08)
  writer.byte(entry.kind === 'normal' ? 0 : entry.kind === 'confChange' ? 1 : 2)
  writer.byte(0x10)
  writer.varint(entry.term)
  writer.byte(0x18)
  writer.varint(entry.index)
  if (entry.data.length === 0) return
  writer.byte(0x22)
  writer.varint(entry.data.length)
  writer.bytes(entry.data)
}

/**
 * Reads raftpb.Entry. `data` is a view of the source: copy it where it outlives the buffer.
 *
 * @throws MalformedMessage
 */
export function readEntry(reader: ByteReader): WireEntry {
  let kind: WireEntry['kind'] = 'normal'
  let term = 0
  let index = 0
  let data: Uint8Array = noBytes
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 0x08) kind = entryKindOf(reader.number())
    else if (tag === 0x10) term = reader.number()
    else if (tag === 0x18) index = reader.number()
    else if (tag === 0x22) data = reader.bytes()
    else reader.skip(tag)
  }
  return { index, term, kind, data }
}

function entryKindOf(number: number): WireEntry['kind'] {
  const kind = entryKinds[number]
  if (kind === undefined) throw new MalformedMessage(`unknown entry type ${number}`)
  return kind
}

/** Appends raftpb.HardState. */
export function writeHardState(writer: ByteWriter, state: WireHardState): void {
  writer.byte(0x08)
  writer.varint(state.term)
  writer.byte(0x10)
  writer.varint64(state.vote)
  writer.byte(0x18)
  writer.varint(state.commit)
}

/** Reads raftpb.HardState. @throws MalformedMessage */
export function readHardState(reader: ByteReader): WireHardState {
  let term = 0
  let vote = 0n
  let commit = 0
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 0x08) term = reader.number()
    else if (tag === 0x10) vote = reader.bits64()
    else if (tag === 0x18) commit = reader.number()
    else reader.skip(tag)
  }
  return { term, vote, commit }
}

/** Bytes that {@link writeConfState} will write. */
export function confStateSize(state: WireConfState): number {
  let size = 2
  for (const ids of [state.voters, state.learners, state.votersOutgoing, state.learnersNext]) {
    for (const id of ids) size += 1 + varint64Size(id)
  }
  return size
}

/** Appends raftpb.ConfState; ids are unpacked, as proto2 has them. */
export function writeConfState(writer: ByteWriter, state: WireConfState): void {
  writeIds(writer, 0x08, state.voters)
  writeIds(writer, 0x10, state.learners)
  writeIds(writer, 0x18, state.votersOutgoing)
  writeIds(writer, 0x20, state.learnersNext)
  writer.byte(0x28)
  writer.byte(state.autoLeave ? 1 : 0)
}

function writeIds(writer: ByteWriter, tag: number, ids: readonly bigint[]): void {
  for (const id of ids) {
    writer.byte(tag)
    writer.varint64(id)
  }
}

/** Reads raftpb.ConfState, ids packed or not. @throws MalformedMessage */
export function readConfState(reader: ByteReader): WireConfState {
  const lists: readonly bigint[][] = [[], [], [], []]
  let autoLeave = false
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    const list = lists[(tag >>> 3) - 1]
    if (tag === 0x28) autoLeave = reader.number() !== 0
    else if (list !== undefined && (tag & 7) === 0) list.push(reader.bits64())
    else if (list !== undefined && (tag & 7) === 2) readPackedIds(reader.message(), list)
    else reader.skip(tag)
  }
  const [voters = [], learners = [], votersOutgoing = [], learnersNext = []] = lists
  return { voters, learners, votersOutgoing, learnersNext, autoLeave }
}

function readPackedIds(reader: ByteReader, list: bigint[]): void {
  while (!reader.isAtEnd()) list.push(reader.bits64())
}

/** What an absent configuration reads as. */
export const emptyWireConfState: WireConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
}

/** Bytes that {@link writeSnapshot} will write. */
export function snapshotSize(snapshot: WireSnapshot): number {
  const metadataSize = snapshotMetadataSize(snapshot.metadata)
  const dataLength = snapshot.data.length
  const dataSize = dataLength === 0 ? 0 : 1 + varintSize(dataLength) + dataLength
  return dataSize + 1 + varintSize(metadataSize) + metadataSize
}

function snapshotMetadataSize(metadata: WireSnapshotMetadata): number {
  const stateSize = confStateSize(metadata.confState)
  const positionSize = 2 + varintSize(metadata.index) + varintSize(metadata.term)
  return 1 + varintSize(stateSize) + stateSize + positionSize
}

/** Appends raftpb.Snapshot. */
export function writeSnapshot(writer: ByteWriter, snapshot: WireSnapshot): void {
  if (snapshot.data.length > 0) {
    writer.byte(0x0a)
    writer.varint(snapshot.data.length)
    writer.bytes(snapshot.data)
  }
  writer.byte(0x12)
  writer.varint(snapshotMetadataSize(snapshot.metadata))
  writer.byte(0x0a)
  writer.varint(confStateSize(snapshot.metadata.confState))
  writeConfState(writer, snapshot.metadata.confState)
  writer.byte(0x10)
  writer.varint(snapshot.metadata.index)
  writer.byte(0x18)
  writer.varint(snapshot.metadata.term)
}

/** Reads raftpb.Snapshot; `data` is a view of the source. @throws MalformedMessage */
export function readSnapshot(reader: ByteReader): WireSnapshot {
  let data: Uint8Array = noBytes
  let metadata: WireSnapshotMetadata = { index: 0, term: 0, confState: emptyWireConfState }
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 0x0a) data = reader.bytes()
    else if (tag === 0x12) metadata = readSnapshotMetadata(reader.message())
    else reader.skip(tag)
  }
  return { data, metadata }
}

function readSnapshotMetadata(reader: ByteReader): WireSnapshotMetadata {
  let confState = emptyWireConfState
  let index = 0
  let term = 0
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 0x0a) confState = readConfState(reader.message())
    else if (tag === 0x10) index = reader.number()
    else if (tag === 0x18) term = reader.number()
    else reader.skip(tag)
  }
  return { index, term, confState }
}
