import { join } from 'node:path'
import { copyBytes, equalBytes } from '../base/bytes.ts'
import { clusterId, nodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileSystem } from '../io/file-system.ts'
import { ByteReader, MalformedMessage } from '../proto/byte-reader.ts'
import { readConfState, readEntry, readHardState, type WireConfState } from '../proto/raft-codec.ts'
import type { ConfState, Entry, HardState, LogIndex } from '../raft/message.ts'
import type { WalMetadata, WalPosition, WalSnapshotMarker } from './log-contents.ts'
import { type LogRecord, recordKinds } from './record.ts'
import { type LogEnd, readLog } from './record-decoder.ts'
import { brokenPathOf, repairTail } from './repair.ts'
import { listSegments, type Segment, segmentsFrom } from './segment.ts'

/** All that a log says, and where writing goes on. */
export interface RecoveredLog {
  readonly segments: readonly Segment[]
  readonly end: LogEnd
  /** Whether the last segment has its opening records; without them it must be begun anew. */
  readonly hasTailHeader: boolean
  /** Checksum up to the end of the segment before the last; what a new header of the last one carries over. */
  readonly checksumBeforeTail: number
  readonly metadata: WalMetadata
  readonly hardState: HardState | undefined
  readonly entries: readonly Entry[]
  readonly snapshotMarkers: readonly WalSnapshotMarker[]
  /** Index of the last entry or snapshot written. */
  readonly lastIndex: LogIndex
  /** Whether the last segment was cut, now or at an earlier start: what was cut stands beside it. */
  readonly isTailRepaired: boolean
}

export interface RecoveryOptions {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly logger: Logger
  readonly snapshot: WalPosition
}

/**
 * Reads a log from a snapshot on and cuts off a torn tail, keeping the cut file's content beside it as `*.broken`.
 *
 * @returns undefined, with nothing changed, when the log has no record of the snapshot, or none that the last hard state
 *   covers: the record may be durable although that state is not, and such a snapshot must not be used
 * @throws StorageFault  the log is damaged, or does not reach back to the snapshot
 */
export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog | undefined> {
  const { fileSystem, directory, logger, snapshot } = options
  const segments = segmentsFrom(
    await listSegments(fileSystem, directory),
    directory,
    snapshot.index,
  )
  const contents = new ContentsCollector(snapshot)
  const end = await readLog({ fileSystem, directory }, segments, (record) => {
    contents.take(record)
  })
  if (!contents.knowsSnapshot) return undefined
  const path = join(directory, end.segment.name)
  const recovered = contents.finish({ segments, end, path })
  // Only now: a log that is refused keeps every byte it has.
  if (end.state !== 'clean') {
    const cut = { name: end.segment.name, offsetBytes: end.offsetBytes, state: end.state }
    logger.warn('cutting off the torn end of the write-ahead log', cut)
    await repairTail(fileSystem, { path, offsetBytes: end.offsetBytes })
  }
  const isTailRepaired = (await fileSystem.findSize(brokenPathOf(path))) !== undefined
  return { ...recovered, isTailRepaired }
}

class ContentsCollector {
  private readonly snapshot: WalPosition
  private metadataBytes: Uint8Array | undefined
  private hardState: HardState | undefined
  /** Entries from `snapshot.index + 1` on. Invariant: indexes rise by one. */
  private readonly entries: Entry[] = []
  private readonly snapshotMarkers: WalSnapshotMarker[] = []
  private hasSnapshot = false
  private lastIndex: LogIndex = 0
  private tailPath = ''
  private hasTailHeader = false
  private checksum = 0
  private checksumBeforeTail = 0

  constructor(snapshot: WalPosition) {
    this.snapshot = snapshot
  }

  take(record: LogRecord): void {
    if (record.segmentPath !== this.tailPath) {
      this.tailPath = record.segmentPath
      this.hasTailHeader = false
      this.checksumBeforeTail = this.checksum
    }
    this.checksum = record.checksum
    switch (record.kind) {
      case recordKinds.metadata:
        this.takeMetadata(record)
        return
      case recordKinds.entry:
        this.takeEntry(record)
        return
      case recordKinds.hardState:
        this.takeHardState(record)
        return
      case recordKinds.snapshot:
        this.takeMarker(record)
        return
      case recordKinds.checksum:
        return
    }
  }

  /** Whether the log may be continued from the snapshot. */
  get knowsSnapshot(): boolean {
    return this.hasSnapshot && (this.hardState?.commit ?? 0) >= this.snapshot.index
  }

  finish(log: {
    readonly segments: readonly Segment[]
    end: LogEnd
    path: string
  }): Omit<RecoveredLog, 'isTailRepaired'> {
    const { path } = log
    if (this.metadataBytes === undefined) {
      throw new StorageFault(`the write-ahead log names no owner in ${path}`, { path })
    }
    const { index } = this.snapshot
    const lastKnown = this.entries.at(-1)?.index ?? index
    if (this.hardState !== undefined && this.hardState.commit > lastKnown) {
      const text = `the write-ahead log ends at index ${lastKnown}, before its commit index`
      throw new StorageFault(`${text} ${this.hardState.commit} in ${path}`, { path })
    }
    // A tail without any whole record was never visited, so the last one seen belongs to the segment before it.
    const isTailVisited = this.tailPath === path
    return {
      segments: log.segments,
      end: log.end,
      hasTailHeader: isTailVisited && this.hasTailHeader,
      checksumBeforeTail: isTailVisited ? this.checksumBeforeTail : this.checksum,
      metadata: readMetadata(new ByteReader(this.metadataBytes)),
      hardState: this.hardState,
      entries: this.entries,
      snapshotMarkers: this.snapshotMarkers,
      lastIndex: this.lastIndex,
    }
  }

  private takeMetadata(record: LogRecord): void {
    this.hasTailHeader = true
    if (this.metadataBytes === undefined) {
      this.metadataBytes = copyBytes(record.data)
      decode(record, readMetadata)
    } else if (!equalBytes(this.metadataBytes, record.data)) {
      throw damage(record, 'the segment belongs to another member or cluster')
    }
  }

  private takeEntry(record: LogRecord): void {
    const entry = decode(record, readEntry)
    this.lastIndex = entry.index
    if (entry.index <= this.snapshot.index) return
    const position = entry.index - this.snapshot.index - 1
    if (position > this.entries.length) {
      const expected = this.snapshot.index + this.entries.length + 1
      throw damage(record, `entry ${entry.index} follows where ${expected} was to come`)
    }
    // A later entry replaces what stood at its index, and all beyond it: so the log records that a conflict was resolved.
    if (position < this.entries.length) this.entries.length = position
    const { index, term, kind } = entry
    this.entries.push({ index, term, kind, data: copyBytes(entry.data) })
  }

  private takeHardState(record: LogRecord): void {
    const state = decode(record, readHardState)
    // The kind of a record is under no checksum; an entry taken for a state shows by a term that falls.
    if (state.term < (this.hardState?.term ?? 0)) throw damage(record, 'the term falls')
    this.hardState = { term: state.term, vote: nodeId(state.vote), commit: state.commit }
  }

  private takeMarker(record: LogRecord): void {
    const marker = decode(record, readMarker)
    this.snapshotMarkers.push(marker)
    this.lastIndex = Math.max(this.lastIndex, marker.index)
    const { index, term } = this.snapshot
    if (marker.index === index && marker.term === term) this.hasSnapshot = true
  }
}

function decode<Value>(record: LogRecord, read: (reader: ByteReader) => Value): Value {
  try {
    return read(new ByteReader(record.data))
  } catch (error) {
    if (error instanceof MalformedMessage) throw damage(record, error.message, error)
    throw error
  }
}

function damage(record: LogRecord, reason: string, cause?: unknown): StorageFault {
  const { segmentPath: path, offsetBytes } = record
  const text = `the write-ahead log is damaged: ${reason} in ${path} at offset ${offsetBytes}`
  return new StorageFault(text, { path, offsetBytes, cause })
}

function readMetadata(reader: ByteReader): WalMetadata {
  let node = 0n
  let cluster = 0n
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 0x08) node = reader.bits64()
    else if (tag === 0x10) cluster = reader.bits64()
    else reader.skip(tag)
  }
  return { nodeId: nodeId(node), clusterId: clusterId(cluster) }
}

function readMarker(reader: ByteReader): WalSnapshotMarker {
  let index = 0
  let term = 0
  let confState: ConfState | undefined
  while (!reader.isAtEnd()) {
    const tag = reader.tag()
    if (tag === 0x08) index = reader.number()
    else if (tag === 0x10) term = reader.number()
    else if (tag === 0x1a) confState = confStateOfWire(readConfState(reader.message()))
    else reader.skip(tag)
  }
  return { index, term, confState }
}

/** The same with branded ids. */
export function confStateOfWire(state: WireConfState): ConfState {
  return {
    voters: state.voters.map(nodeId),
    learners: state.learners.map(nodeId),
    votersOutgoing: state.votersOutgoing.map(nodeId),
    learnersNext: state.learnersNext.map(nodeId),
    autoLeave: state.autoLeave,
  }
}
