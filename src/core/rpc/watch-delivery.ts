/**
 * Events on their way to streams.
 *
 * One change often goes to a thousand watchers. Its events are encoded once; answers that follow one another on the same
 * stream become one piece of bytes; and where the next stream has watchers with the same ids, as clients of one program
 * do, it is given the same bytes again. Large events are not copied at all but handed on behind each head.
 */
import { failpoint } from '../base/failpoints.ts'
import type { Change, EventBatch, StoredKeyValue } from '../node/node-surface.ts'
import { ByteWriter } from '../proto/byte-writer.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { StreamCall } from './rpc-call.ts'
import {
  divideEvents,
  encodeEvents,
  encodeHeaderField,
  eventsHeadSize,
  writeEventsHead,
  type EncodedEvents,
  type EventsHead,
  type WatchId,
} from './watch-encoding.ts'

/** Events from this size on are shared between answers instead of copied into each. */
const sharedEventsSizeBytesMin = 4_096
/** Answers are gathered up to this size. */
const runSizeBytesMax = 65_536
/** Encoded events kept within one round, above it they are encoded again. */
const keptSizeBytesMax = 8 * 1024 * 1024

const scratch = new ByteWriter(2 * runSizeBytesMax)

/** Where and in which form a watcher gets its events. */
export interface Recipient {
  readonly call: StreamCall
  readonly watchId: WatchId
  readonly hasPrevious: boolean
}

/** Answers of one form on one stream. */
interface Run {
  readonly batch: EventBatch
  readonly hasPrevious: boolean
  readonly header: Uint8Array
  readonly events: Uint8Array
  readonly watchIds: WatchId[]
  /** About. */
  sizeBytes: number
  /** Made when the run ends. */
  pieces: readonly Uint8Array[] | undefined
}

/** Gathers what a round of offers gives to all streams of a node. */
export class WatchDelivery {
  private readonly headers: ResponseHeaders
  private readonly previousOf: (change: Change) => StoredKeyValue | undefined
  private call: StreamCall | undefined
  private run: Run | undefined
  /** The run that ended last, for a stream that needs the same. */
  private latest: Run | undefined
  private readonly plain = new Map<readonly Change[], EncodedEvents>()
  private readonly withPrevious = new Map<readonly Change[], EncodedEvents>()
  private keptSizeBytes = 0

  /** @param previousOf  the pair before a change */
  constructor(
    headers: ResponseHeaders,
    previousOf: (change: Change) => StoredKeyValue | undefined,
  ) {
    this.headers = headers
    this.previousOf = previousOf
  }

  /** Adds one answer. It is sent when the run ends: at the latest with {@link endRound}. */
  add({ call, watchId, hasPrevious }: Recipient, batch: EventBatch): void {
    let { run } = this
    if (
      run === undefined ||
      this.call !== call ||
      run.batch !== batch ||
      run.hasPrevious !== hasPrevious ||
      run.sizeBytes >= runSizeBytesMax
    ) {
      this.flush()
      run = this.beginRun(batch, hasPrevious)
      this.run = run
      this.call = call
    }
    run.watchIds.push(watchId)
    run.sizeBytes += run.header.length + run.events.length
  }

  /** Adds one answer, divided where it would reach `messageSizeBytesMax`; all parts but the last are marked. */
  addDivided(recipient: Recipient, batch: EventBatch, messageSizeBytesMax: number): void {
    const { call, watchId, hasPrevious } = recipient
    const encoded = this.encoded(batch.source, hasPrevious)
    const header = encodeHeaderField(this.headers, batch.revision)
    const eventsSizeBytes = restOf(encoded, batch.start).length
    if (eventsHeadSize({ header, watchId }) + eventsSizeBytes < messageSizeBytesMax) {
      this.add(recipient, batch)
      return
    }
    this.flush()
    const headSizeBytes = eventsHeadSize({ header, watchId, isFragment: true })
    const bounds = divideEvents(encoded, batch.start, { headSizeBytes, messageSizeBytesMax })
    for (let part = 0; part + 1 < bounds.length; part++) {
      const events = encoded.bytes.subarray(
        encoded.offsets[bounds[part] ?? 0],
        encoded.offsets[bounds[part + 1] ?? 0],
      )
      const isFragment = part + 2 < bounds.length
      call.send(headOf({ header, watchId, isFragment }, events.length))
      call.send(events)
    }
  }

  /** Sends what was gathered. Whoever sends something else on a stream must have called this before. */
  flush(): void {
    const { run, call, latest } = this
    if (run === undefined || call === undefined) return
    this.run = undefined
    this.call = undefined
    failpoint('beforeSendWatchResponse')
    const same = latest !== undefined && isSameRun(latest, run) ? latest : run
    same.pieces ??= piecesOf(run)
    for (const piece of same.pieces) call.send(piece)
    this.latest = same
  }

  /** Sends what was gathered, and forgets what was kept for this round. */
  endRound(): void {
    this.flush()
    this.latest = undefined
    this.forget()
  }

  private beginRun(batch: EventBatch, hasPrevious: boolean): Run {
    const { latest } = this
    const isKnown = latest?.batch === batch && latest.hasPrevious === hasPrevious
    return {
      batch,
      hasPrevious,
      header: isKnown ? latest.header : encodeHeaderField(this.headers, batch.revision),
      events: isKnown
        ? latest.events
        : restOf(this.encoded(batch.source, hasPrevious), batch.start),
      watchIds: [],
      sizeBytes: 0,
      pieces: undefined,
    }
  }

  private encoded(source: readonly Change[], hasPrevious: boolean): EncodedEvents {
    const kept = hasPrevious ? this.withPrevious : this.plain
    const known = kept.get(source)
    if (known !== undefined) return known
    const made = encodeEvents(source, hasPrevious ? this.previousOf : undefined)
    this.keptSizeBytes += made.bytes.length
    if (this.keptSizeBytes > keptSizeBytesMax) this.forget()
    kept.set(source, made)
    return made
  }

  private forget(): void {
    this.plain.clear()
    this.withPrevious.clear()
    this.keptSizeBytes = 0
  }
}

function isSameRun(one: Run, other: Run): boolean {
  if (one.batch !== other.batch || one.hasPrevious !== other.hasPrevious) return false
  const { watchIds } = one
  if (watchIds.length !== other.watchIds.length) return false
  for (let position = 0; position < watchIds.length; position++) {
    if (watchIds[position] !== other.watchIds[position]) return false
  }
  return true
}

function piecesOf({ watchIds, header, events }: Run): readonly Uint8Array[] {
  if (events.length >= sharedEventsSizeBytesMin) {
    return watchIds.flatMap((watchId) => [headOf({ header, watchId }, events.length), events])
  }
  scratch.reset()
  for (const watchId of watchIds) {
    writeEventsHead(scratch, { header, watchId }, events.length)
    scratch.bytes(events)
  }
  return [scratch.copied()]
}

function headOf(head: EventsHead, eventsSizeBytes: number): Uint8Array {
  scratch.reset()
  writeEventsHead(scratch, head, eventsSizeBytes)
  return scratch.copied()
}

function restOf({ bytes, offsets }: EncodedEvents, first: number): Uint8Array {
  return first === 0 ? bytes : bytes.subarray(offsets[first])
}
