/**
 * Runs of neighbouring pairs as they go into answers, kept for whoever asks for them again.
 *
 * The problem: lists are asked for again and again, by Kubernetes as by key browsers, and finding, copying and checking a
 * pair costs a microsecond each time although nothing has changed. The plain idea: what was packed for an answer is kept,
 * with the stretch of keys that it speaks for, until a key of that stretch is written. The next answer that needs the
 * stretch, or a part of it, gets the same bytes: nothing is read and nothing is copied.
 *
 *     keys   a1 a2 a3 a4 │ b1 b2 b3 │ c1 c2 c3 c4 c5
 *     runs  [a1 …        │          │ c1 …          )      nothing is known of the stretch of b
 *     answer to [a3, c3):  a3 a4 from the first run, b1 b2 b3 from the store, c1 c2 from the other one
 *
 * A run says what is true now, and has been since the last change of one of its keys, so it also serves reads of any
 * revision from that one on. Whoever writes a key tells, and the run that speaks for the key is forgotten at once; readers
 * do without runs while a revision is being written, which they do not see yet.
 *
 * While there is room, everything is kept. After that what is asked for once is not: a stretch is taken in when it was asked
 * for before, or was known until it was written, and runs that nobody used for long make room for it. So whoever reads
 * everything once does not drive out what others read all the time.
 *
 * What is left out: answers in another form, without values or in another order, and single keys, which cost no more than
 * finding their run would.
 */

import { assert } from '../base/assert.ts'
import { compareBytes } from '../base/bytes.ts'
import { keyAfter } from './key-range.ts'
import type { RecordedPiece } from './packed-pairs.ts'

/** All pairs with keys of a stretch. Nothing of it is ever changed. */
interface PairRun extends RecordedPiece {
  /** First key of the stretch. */
  readonly start: Uint8Array
  /** Behind the stretch; undefined: it has no end. */
  readonly end: Uint8Array | undefined
  /** The stretch is as it was at this revision. */
  readonly changedRevision: number
}

/** How well it serves, for monitoring. A store that takes the place of another goes on counting. */
export class PairRunCounts {
  /** Pairs that were answered from runs, and those that were packed while they might have been. */
  hitPairCount = 0
  missedPairCount = 0
  /** Bytes that runs take now. */
  sizeBytes = 0
}

interface Place {
  readonly run: PairRun
  readonly sizeBytes: number
  /** Asked for since the hand last came by. */
  isUsed: boolean
}

/** Of the objects that a run is made of; an estimate for the limit. */
const runOverheadBytes = 512
const runCountMax = 8_192
const usualSizeBytes = 262_144
/** Places in the memory of what was asked for; a power of 2. */
const askedCount = 8_192

/** See the head of this file. */
export class PairRuns {
  private readonly sizeBytesMax: number
  private readonly counts: PairRunCounts
  /** In key order. Their stretches do not meet. */
  private readonly places: Place[] = []
  private sizeBytes = 0
  private isBeingWritten = false
  /** The next one to be looked at when room is needed. */
  private hand = 0
  /** Hashes of the keys at which something was looked for and not found. */
  private readonly asked = new Int32Array(askedCount)

  /** @param sizeBytesMax  0: nothing is kept */
  constructor(sizeBytesMax: number, counts: PairRunCounts) {
    this.sizeBytesMax = sizeBytesMax
    this.counts = counts
    counts.sizeBytes = 0
  }

  /** Whether there may be runs, and all of them say what readers see. */
  get isUsable(): boolean {
    return this.sizeBytesMax > 0 && !this.isWriting
  }

  /** Keys were written, and readers do not see it yet. */
  get isWriting(): boolean {
    return this.isBeingWritten
  }

  /** The run that speaks for a key at a revision, which nobody may be writing. */
  find(key: Uint8Array, revision: number): PairRun | undefined {
    const place = this.places[this.positionOf(key)]
    if (place === undefined || !speaksFor(place.run, key)) return undefined
    if (place.run.changedRevision > revision) return undefined
    place.isUsed = true
    return place.run
  }

  /** Where the next run behind a key begins, for which none speaks. */
  nextStart(key: Uint8Array): Uint8Array | undefined {
    return this.places[this.positionOf(key) + 1]?.run.start
  }

  /** Whether what begins at a key is worth keeping. Remembers that it was asked for. */
  isWanted(key: Uint8Array): boolean {
    const wasAsked = !this.noteAsked(key)
    return wasAsked || this.hasRoom()
  }

  /** Keeps a run, unless it would overlap another. */
  add(run: PairRun): void {
    const sizeBytes = sizeOfRun(run)
    if (sizeBytes > this.sizeBytesMax) return
    this.makeRoom(sizeBytes)
    const position = this.positionOf(run.start)
    const before = this.places[position]
    const next = this.places[position + 1]
    if (before !== undefined && speaksFor(before.run, run.start)) return
    if (next !== undefined && (run.end === undefined || compareBytes(next.run.start, run.end) < 0))
      return
    this.places.splice(position + 1, 0, { run, sizeBytes, isUsed: false })
    if (position + 1 < this.hand) this.hand++
    this.noteSize(sizeBytes)
  }

  /** Told before a key is written. */
  forget(key: Uint8Array): void {
    this.isBeingWritten = true
    if (this.places.length === 0) return
    const position = this.positionOf(key)
    const place = this.places[position]
    if (place === undefined || !speaksFor(place.run, key)) return
    this.noteAsked(place.run.start)
    this.removeAt(position)
  }

  /** From now on readers see everything that was written. */
  notePublished(): void {
    this.isBeingWritten = false
  }

  /** @param pairCount  pairs that an answer took from a run, or did not find in one */
  noteTaken(pairCount: number, { isHit }: { readonly isHit: boolean }): void {
    if (isHit) this.counts.hitPairCount += pairCount
    else this.counts.missedPairCount += pairCount
  }

  /** Whether what an answer of usual size has can be kept without driving anything out. */
  private hasRoom(): boolean {
    const isRoomy = this.sizeBytes + usualSizeBytes <= this.sizeBytesMax
    return isRoomy && this.places.length < runCountMax / 2
  }

  /** Second chance: what was used since the hand came by stays until it comes by again. */
  private makeRoom(sizeBytes: number): void {
    const { places } = this
    while (this.sizeBytes + sizeBytes > this.sizeBytesMax || places.length >= runCountMax) {
      if (this.hand >= places.length) this.hand = 0
      const place = places[this.hand]
      assert(place !== undefined, 'what takes room is there')
      if (place.isUsed) {
        place.isUsed = false
        this.hand++
      } else this.removeAt(this.hand)
    }
  }

  private removeAt(position: number): void {
    const [place] = this.places.splice(position, 1)
    assert(place !== undefined, 'a run that is removed is there')
    if (position < this.hand) this.hand--
    this.noteSize(-place.sizeBytes)
  }

  private noteSize(differenceBytes: number): void {
    this.sizeBytes += differenceBytes
    this.counts.sizeBytes = this.sizeBytes
  }

  /** @returns whether it had not been asked for */
  private noteAsked(key: Uint8Array): boolean {
    const hash = hashOf(key)
    const place = hash & (askedCount - 1)
    if (this.asked[place] === hash) return false
    this.asked[place] = hash
    return true
  }

  /**
   * Of the last run that does not begin behind the key; -1 when there is none. Starts between two that share some first
   * bytes with the key share them as well, so these are not compared again.
   */
  private positionOf(key: Uint8Array): number {
    const { places } = this
    let low = -1
    let high = places.length - 1
    let sharedWithLow = 0
    let sharedWithHigh = 0
    while (low < high) {
      const middle = (low + high + 1) >> 1
      const start = places[middle]?.run.start
      assert(start !== undefined, 'a position between two runs is that of a run')
      let shared = Math.min(sharedWithLow, sharedWithHigh)
      while (shared < start.length && start[shared] === key[shared]) shared++
      if (shared === start.length || (start[shared] ?? 0) < (key[shared] ?? -1)) {
        low = middle
        sharedWithLow = shared
      } else {
        high = middle - 1
        sharedWithHigh = shared
      }
    }
    return low
  }
}

/** Whether the stretch goes on behind the key, which is not before it. */
function speaksFor({ end }: PairRun, key: Uint8Array): boolean {
  return end === undefined || compareBytes(key, end) < 0
}

function sizeOfRun({ bytes, offsets, start, end }: PairRun): number {
  return bytes.length + offsets.byteLength + start.length + (end?.length ?? 0) + runOverheadBytes
}

/** FNV-1a; never 0, which stands for nothing. */
function hashOf(key: Uint8Array): number {
  let hash = 0x811c_9dc5
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x0100_0193)
  return hash | 0 || 1
}

/** A part of a run, as an answer takes it. */
interface RunPart {
  readonly bytes: Uint8Array
  readonly pairCount: number
  /** Where what is left of the range begins; undefined: the part ends where the range does. */
  readonly next: Uint8Array | undefined
}

/**
 * What a run has of a range that begins in its stretch.
 * @param limit  at most so many pairs
 */
export function partOfRun(
  run: PairRun,
  { start, end }: { readonly start: Uint8Array; readonly end: Uint8Array | undefined },
  limit: number,
): RunPart {
  const { bytes, offsets } = run
  const first = positionOfKey(run, start)
  const endsWithin = end !== undefined && (run.end === undefined || compareBytes(end, run.end) < 0)
  const stop = endsWithin ? positionOfKey(run, end) : offsets.length - 1
  const last = Math.max(first, Math.min(stop, first + limit))
  const from = offsets[first] ?? 0
  const to = offsets[last] ?? 0
  const pairCount = last - first
  const behind = endsWithin ? undefined : nextOf(run, end)
  const isMoreLeft = last < stop || behind !== undefined
  // Who asked for so many goes on right behind the last one.
  const isAtLimit = isMoreLeft && pairCount === limit
  return {
    bytes: new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from),
    pairCount,
    next: isAtLimit ? keyAfter(keyAt(run, last - 1)) : behind,
  }
}

/** Where a range goes on behind a run that it does not end in. */
function nextOf(run: PairRun, end: Uint8Array | undefined): Uint8Array | undefined {
  if (run.end === undefined) return undefined
  return end !== undefined && compareBytes(run.end, end) >= 0 ? undefined : run.end
}

/** Of the first pair whose key is not before this one. */
function positionOfKey(run: RecordedPiece, key: Uint8Array): number {
  let low = 0
  let high = run.offsets.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareBytes(keyAt(run, middle), key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The key of the first pair, of which there is one. */
export function firstKeyOf(piece: RecordedPiece): Uint8Array {
  return keyAt(piece, 0)
}

/** A view of the key of a pair: behind the tag and the size of the message come tag and size of the key. */
function keyAt({ bytes, offsets }: RecordedPiece, position: number): Uint8Array {
  let at = (offsets[position] ?? 0) + 1
  while ((bytes[at] ?? 0) >= 0x80) at++
  at += 2
  let sizeBytes = 0
  let shift = 0
  for (;;) {
    const byte = bytes[at++] ?? 0
    sizeBytes |= (byte & 0x7f) << shift
    if (byte < 0x80) break
    shift += 7
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset + at, sizeBytes)
}
