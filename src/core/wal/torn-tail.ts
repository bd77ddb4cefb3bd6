/**
 * Decides what a bad frame in the last segment means.
 *
 * A crash may leave the end of the log half written: nobody was told that those bytes are safe, so they are cut off. The
 * same bad bytes in data that was promised are damage, and the log must not be used. Sectors of a write reach the disk
 * independently of each other, whole, or (on bad days) up to some byte. So a torn frame shows a hole:
 *
 * - one of the sectors it lies in holds nothing of it but zeros (etcd's rule), or
 * - zeros run from somewhere within it to the end of a sector, or
 * - the file ends within it (etcd's rule).
 *
 * A hole alone is no proof, as values may hold zeros. Against it speaks:
 *
 * - The bytes behind the length word are a whole record of another length: then the length word alone is wrong.
 * - Records follow that were written only after this one was synced. Unsynced is at most one batch of entries with one
 *   hard state behind it, and hard states without entries before it. An entry behind a hard state that itself stands
 *   behind an entry therefore proves that everything before was durable once.
 *
 * What remains open, as in etcd: rot that looks exactly like a hole within the last batch.
 */
import { crc32c } from '@node-rs/crc32'
import type { FileWindow } from './file-window.ts'
import { lengthWordBytes, recordKinds, sectorBytes } from './record.ts'
import { type LengthWord, parseRecord, parseRecordHead, readLengthWord } from './record-frame.ts'

/** A frame that cannot be read, and what is known about it. */
export interface BadFrame {
  readonly offsetBytes: number
  readonly lengthWord: LengthWord
  /** Running checksum before it. */
  readonly checksum: number
}

/** Whether a bad frame at the end of the last segment is the trace of a torn write; otherwise it is damage. */
export async function isTornFrame(window: FileWindow, frame: BadFrame): Promise<boolean> {
  const bodyAt = frame.offsetBytes + lengthWordBytes
  if (await holdsOtherRecord(window, frame)) return isCutLengthWord(window, frame)
  if (!frame.lengthWord.isWellFormed) {
    const head = await window.load(frame.offsetBytes, lengthWordBytes)
    return head[7] === 0 && (await window.isZero(bodyAt, sectorEndAfter(frame.offsetBytes)))
  }
  const recordEnd = bodyAt + frame.lengthWord.recordBytes
  if (recordEnd > window.sizeBytes) return true
  if (!(await hasHole(window, bodyAt, recordEnd))) return false
  return !(await isFollowedByLaterBatch(window, frame))
}

function sectorEndAfter(offsetBytes: number): number {
  return offsetBytes + sectorBytes - (offsetBytes % sectorBytes)
}

/** Whether zeros run to the end of one of the record's sectors, or of the record where only zeros follow it there. */
async function hasHole(window: FileWindow, start: number, end: number): Promise<boolean> {
  for (let at = start; at < end;) {
    const sectorEnd = sectorEndAfter(at)
    const pieceEnd = Math.min(end, sectorEnd)
    // At least the last byte of the record in this sector, and whatever the sector holds behind it.
    if (await window.isZero(pieceEnd - 1, sectorEnd)) return true
    if (await window.isZero(at, pieceEnd)) return true
    at = pieceEnd
  }
  return false
}

/** Whether the bytes behind the length word are a record that fits the chain, of another length than the word says. */
async function holdsOtherRecord(window: FileWindow, frame: BadFrame): Promise<boolean> {
  const bodyAt = frame.offsetBytes + lengthWordBytes
  const restBytes = window.sizeBytes - bodyAt
  const head = parseRecordHead(await window.load(bodyAt, Math.min(restBytes, 64)))
  if (head === undefined || head.recordBytes > restBytes) return false
  if (head.recordBytes === frame.lengthWord.recordBytes && frame.lengthWord.isWellFormed) {
    return false
  }
  const record = parseRecord(await window.load(bodyAt, head.recordBytes))
  if (record === undefined) return false
  return record.kind === recordKinds.checksum
    ? record.checksum === frame.checksum
    : record.checksum === crc32c(record.data, frame.checksum)
}

/** Whether the sector ends with the length word and the word could be cut: the record in the next sector survived it. */
async function isCutLengthWord(window: FileWindow, frame: BadFrame): Promise<boolean> {
  if ((frame.offsetBytes + lengthWordBytes) % sectorBytes !== 0) return false
  return (await window.load(frame.offsetBytes, lengthWordBytes))[7] === 0
}

/** Walks on by the length words, over records whose checksums continue each other. */
async function isFollowedByLaterBatch(window: FileWindow, frame: BadFrame): Promise<boolean> {
  const bodyAt = frame.offsetBytes + lengthWordBytes
  const own = parseRecordHead(await window.load(bodyAt, Math.min(64, window.sizeBytes - bodyAt)))
  let hasEntry = own?.kind === recordKinds.entry
  let hasStateAfterEntry = false
  let checksum = own?.checksum
  let at = bodyAt + frame.lengthWord.recordBytes + frame.lengthWord.paddingBytes
  while (at + lengthWordBytes <= window.sizeBytes) {
    const word = readLengthWord(await window.load(at, lengthWordBytes))
    if (!word.isWellFormed) return false
    if (at + lengthWordBytes + word.recordBytes > window.sizeBytes) return false
    const record = parseRecord(await window.load(at + lengthWordBytes, word.recordBytes))
    if (record === undefined) return false
    // The checksum of the bad record may be what is bad; the first one after it is then taken as it is.
    const isFirst = at === bodyAt + frame.lengthWord.recordBytes + frame.lengthWord.paddingBytes
    const isChained = checksum !== undefined && crc32c(record.data, checksum) === record.checksum
    if (!isChained && !isFirst) return false
    checksum = record.checksum
    if (record.kind === recordKinds.entry) {
      if (hasStateAfterEntry) return true
      hasEntry = true
    } else if (hasEntry) {
      hasStateAfterEntry = true
    }
    at += lengthWordBytes + word.recordBytes + word.paddingBytes
  }
  return false
}
