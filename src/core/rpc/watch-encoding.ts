/**
 * Watch responses, put together from stored pairs.
 *
 * An answer with events is a head, different for every watcher only by its id, and the events, which are encoded once for
 * all watchers that get the same.
 */
import type { Change, StoredKeyValue } from '../node/node-surface.ts'
import { ByteWriter } from '../proto/byte-writer.ts'
import type { ResponseHeaders } from './response-header.ts'
import { bigFieldSize, bytesFieldSize, FrameWriter, numberFieldSize } from './wire-writer.ts'

/**
 * By which a client knows a watcher of its stream: 64 bits. Ids from 0 up to what a number holds exactly are numbers, so
 * that the many cost no memory and compare fast; all others are `bigint`.
 */
export type WatchId = number | bigint

/** A watch response without events and without its header. Fields left out are zero. */
export interface WatchAnswer {
  readonly watchId: WatchId
  /** Goes into the header; 0 is left out. */
  readonly revision: number
  readonly isCreated?: boolean
  readonly isCanceled?: boolean
  readonly compactRevision?: number
  readonly cancelReason?: string
}

/** The events of a list of changes, encoded as fields of a response. */
export interface EncodedEvents {
  readonly bytes: Uint8Array
  /** Where each event begins, and behind the last one the length. */
  readonly offsets: readonly number[]
}

/** What comes before the events of an answer. */
export interface EventsHead {
  /** The header field, encoded. */
  readonly header: Uint8Array
  readonly watchId: WatchId
  readonly isFragment?: boolean
}

/** gRPC's prefix of a message: a byte of flags and four of length. */
const framePrefixSizeBytes = 5

// Tags: field number << 3 | wire type, from the messages of rpc.proto and kv.proto.
const headerTag = 0x0a
const watchIdTag = 0x10
const createdTag = 0x18
const canceledTag = 0x20
const compactRevisionTag = 0x28
const cancelReasonTag = 0x32
const fragmentTag = 0x38
const eventsTag = 0x5a
const eventTypeTag = 0x08
const eventKvTag = 0x12
const eventPrevKvTag = 0x1a
const deleteType = 1

/** Memory that stays for encoding; larger events give theirs back. */
const scratchSizeBytesMax = 262_144
const scratch = new ByteWriter()

/** The id as this program keeps it. */
export function watchIdOf(id: bigint): WatchId {
  return id >= 0n && id <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(id) : id
}

/** WatchResponse without events, as a frame. */
export function encodeWatchAnswer(headers: ResponseHeaders, answer: WatchAnswer): Uint8Array {
  const { raftTerm } = headers
  const { watchId, revision, compactRevision = 0 } = answer
  const reason = Buffer.from(answer.cancelReason ?? '', 'utf8')
  const sizeBytes =
    bytesFieldSize(headers.size(revision, raftTerm)) +
    watchIdSize(watchId) +
    (answer.isCreated === true ? 2 : 0) +
    (answer.isCanceled === true ? 2 : 0) +
    numberFieldSize(compactRevision) +
    (reason.length > 0 ? bytesFieldSize(reason.length) : 0)
  const writer = new FrameWriter(sizeBytes)
  headers.write(writer, headerTag, { revision, raftTerm })
  writeWatchId(writer, watchId)
  writer.flagField(createdTag, answer.isCreated === true)
  writer.flagField(canceledTag, answer.isCanceled === true)
  writer.numberField(compactRevisionTag, compactRevision)
  if (reason.length > 0) writer.bytesField(cancelReasonTag, reason)
  return writer.finish()
}

/** The header field of a response at this revision. */
export function encodeHeaderField(headers: ResponseHeaders, revision: number): Uint8Array {
  const { raftTerm } = headers
  const writer = new FrameWriter(bytesFieldSize(headers.size(revision, raftTerm)))
  headers.write(writer, headerTag, { revision, raftTerm })
  return writer.finish().subarray(framePrefixSizeBytes)
}

/** Size of the message without its events. */
export function eventsHeadSize({ header, watchId, isFragment }: EventsHead): number {
  return header.length + watchIdSize(watchId) + (isFragment === true ? 2 : 0)
}

/** Begins a frame: its prefix and everything but the events, of which so many bytes must follow. */
export function writeEventsHead(
  writer: ByteWriter,
  head: EventsHead,
  eventsSizeBytes: number,
): void {
  const { header, watchId, isFragment } = head
  const sizeBytes = eventsHeadSize(head) + eventsSizeBytes
  writer.byte(0)
  for (let shift = 24; shift >= 0; shift -= 8) writer.byte((sizeBytes >>> shift) & 0xff)
  writer.bytes(header)
  if (typeof watchId === 'bigint' || watchId !== 0) {
    writer.byte(watchIdTag)
    if (typeof watchId === 'number') writer.varint(watchId)
    else writer.varint64(watchId)
  }
  if (isFragment !== true) return
  writer.byte(fragmentTag)
  writer.byte(1)
}

/** @param previousOf  the pair before a change, where it was asked for */
export function encodeEvents(
  changes: readonly Change[],
  previousOf: ((change: Change) => StoredKeyValue | undefined) | undefined,
): EncodedEvents {
  const offsets: number[] = []
  scratch.reset(scratchSizeBytesMax)
  for (const change of changes) {
    offsets.push(scratch.length)
    writeEvent(scratch, change, previousOf?.(change))
  }
  offsets.push(scratch.length)
  return { bytes: scratch.copied(), offsets }
}

/**
 * Divides events so that each part with a head of this size stays below `messageSizeBytesMax` if it can; each holds at
 * least one event.
 *
 * @param first position of the first event to send
 * @returns position of the first event of each part, and behind the last one that of the end
 * @see etcd v3 API, WatchCreateRequest.fragment
 */
export function divideEvents(
  { offsets }: EncodedEvents,
  first: number,
  limits: { readonly headSizeBytes: number; readonly messageSizeBytesMax: number },
): readonly number[] {
  const { headSizeBytes, messageSizeBytesMax } = limits
  const end = offsets.length - 1
  const bounds = [first]
  let begin = first
  for (let position = first + 1; position < end; position++) {
    const sizeBytes = headSizeBytes + (offsets[position + 1] ?? 0) - (offsets[begin] ?? 0)
    if (sizeBytes < messageSizeBytesMax) continue
    bounds.push(position)
    begin = position
  }
  bounds.push(end)
  return bounds
}

function watchIdSize(id: WatchId): number {
  return typeof id === 'number' ? numberFieldSize(id) : bigFieldSize(id)
}

function writeWatchId(writer: FrameWriter, id: WatchId): void {
  if (typeof id === 'number') writer.numberField(watchIdTag, id)
  else writer.bigField(watchIdTag, id)
}

function writeEvent(
  writer: ByteWriter,
  { kind, keyValue }: Change,
  previous: StoredKeyValue | undefined,
): void {
  writer.byte(eventsTag)
  writer.varint(
    (kind === 'delete' ? 2 : 0) +
      bytesFieldSize(keyValue.encoded.length) +
      (previous === undefined ? 0 : bytesFieldSize(previous.encoded.length)),
  )
  if (kind === 'delete') {
    writer.byte(eventTypeTag)
    writer.byte(deleteType)
  }
  writeBytesField(writer, eventKvTag, keyValue.encoded)
  if (previous !== undefined) writeBytesField(writer, eventPrevKvTag, previous.encoded)
}

function writeBytesField(writer: ByteWriter, tag: number, bytes: Uint8Array): void {
  writer.byte(tag)
  writer.varint(bytes.length)
  writer.bytes(bytes)
}
