/** Watch responses, put together from stored pairs, and their division into fragments. */
import type { Change, StoredKeyValue } from '../node/node-surface.ts'
import type { ResponseHeaders } from './response-header.ts'
import { bigFieldSize, bytesFieldSize, FrameWriter, numberFieldSize } from './wire-writer.ts'

/** A change, and the pair before it where that was asked for. */
export interface WatchEvent {
  readonly change: Change
  readonly previous: StoredKeyValue | undefined
}

/** A watch response without its header. Fields left out are zero. */
export interface WatchAnswer {
  readonly watchId: bigint
  /** Goes into the header; 0 is left out. */
  readonly revision: number
  readonly isCreated?: boolean
  readonly isCanceled?: boolean
  readonly compactRevision?: number
  readonly cancelReason?: string
  readonly isFragment?: boolean
  readonly events?: readonly WatchEvent[]
}

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

/** WatchResponse as a frame. */
export function encodeWatchAnswer(headers: ResponseHeaders, answer: WatchAnswer): Uint8Array {
  const { raftTerm } = headers
  const reason = Buffer.from(answer.cancelReason ?? '', 'utf8')
  const writer = new FrameWriter(fieldsSize(headers, answer) + eventsSize(answer.events ?? []))
  headers.write(writer, headerTag, { revision: answer.revision, raftTerm })
  writer.bigField(watchIdTag, answer.watchId)
  writer.flagField(createdTag, answer.isCreated === true)
  writer.flagField(canceledTag, answer.isCanceled === true)
  writer.numberField(compactRevisionTag, answer.compactRevision ?? 0)
  if (reason.length > 0) writer.bytesField(cancelReasonTag, reason)
  writer.flagField(fragmentTag, answer.isFragment === true)
  for (const event of answer.events ?? []) writeEvent(writer, event)
  return writer.finish()
}

/**
 * Divides an answer whose message would reach `messageSizeBytesMax`: each part stays below it if it can, holds at least
 * one event, and all but the last are marked as fragments.
 *
 * @see etcd v3 API, WatchCreateRequest.fragment
 */
export function fragmentsOf(
  headers: ResponseHeaders,
  answer: WatchAnswer,
  messageSizeBytesMax: number,
): readonly WatchAnswer[] {
  const events = answer.events ?? []
  const wholeSizeBytes = fieldsSize(headers, answer) + eventsSize(events)
  if (wholeSizeBytes < messageSizeBytesMax || events.length < 2) return [answer]
  const baseSizeBytes = fieldsSize(headers, { ...answer, isFragment: true })
  const parts: WatchEvent[][] = []
  let part: WatchEvent[] = []
  let sizeBytes = baseSizeBytes
  for (const event of events) {
    const eventSizeBytes = bytesFieldSize(eventSize(event))
    if (part.length > 0 && sizeBytes + eventSizeBytes >= messageSizeBytesMax) {
      parts.push(part)
      part = []
      sizeBytes = baseSizeBytes
    }
    part.push(event)
    sizeBytes += eventSizeBytes
  }
  parts.push(part)
  return parts.map((eventsOfPart, position) => ({
    ...answer,
    events: eventsOfPart,
    isFragment: position < parts.length - 1,
  }))
}

function fieldsSize(headers: ResponseHeaders, answer: WatchAnswer): number {
  const reasonSizeBytes = Buffer.byteLength(answer.cancelReason ?? '', 'utf8')
  return (
    bytesFieldSize(headers.size(answer.revision, headers.raftTerm)) +
    bigFieldSize(answer.watchId) +
    (answer.isCreated === true ? 2 : 0) +
    (answer.isCanceled === true ? 2 : 0) +
    numberFieldSize(answer.compactRevision ?? 0) +
    (reasonSizeBytes > 0 ? bytesFieldSize(reasonSizeBytes) : 0) +
    (answer.isFragment === true ? 2 : 0)
  )
}

function eventsSize(events: readonly WatchEvent[]): number {
  let sizeBytes = 0
  for (const event of events) sizeBytes += bytesFieldSize(eventSize(event))
  return sizeBytes
}

function eventSize({ change, previous }: WatchEvent): number {
  return (
    (change.kind === 'delete' ? 2 : 0) +
    bytesFieldSize(change.keyValue.encoded.length) +
    (previous === undefined ? 0 : bytesFieldSize(previous.encoded.length))
  )
}

function writeEvent(writer: FrameWriter, event: WatchEvent): void {
  writer.openMessage(eventsTag, eventSize(event))
  writer.numberField(eventTypeTag, event.change.kind === 'delete' ? deleteType : 0)
  writer.bytesField(eventKvTag, event.change.keyValue.encoded)
  if (event.previous !== undefined) writer.bytesField(eventPrevKvTag, event.previous.encoded)
}
