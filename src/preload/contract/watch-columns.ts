/** Changes to columns; see `watch.ts` for why they cross as columns. */

import type { WatchChange, WatchColumns, WatchedValue } from './watch.ts'

/** What a change was; the flags of a row are their sum. */
export const watchColumnFlags = {
  /** The key was written; without it, it was deleted. */
  put: 1,
  /** What was there before is known. */
  hasPrevious: 2,
  /** Nothing of its revision follows. */
  completesRevision: 4,
} as const

/** Parts of a row in `bytes`: the key, the new value, the old value. */
export const watchPartsPerRow = 3

const noBytes = new Uint8Array(0)

/** Columns of the changes in their order. */
export function watchColumnsOf(changes: readonly WatchChange[]): WatchColumns {
  const parts = changes.flatMap(partsOf)
  const offsets = new Uint32Array(parts.length + 1)
  let sizeBytes = 0
  parts.forEach((part, at) => {
    sizeBytes += part.length
    offsets[at + 1] = sizeBytes
  })
  const bytes = new Uint8Array(sizeBytes)
  parts.forEach((part, at) => {
    bytes.set(part, offsets[at])
  })
  const ofCurrent = (pick: (value: WatchedValue) => number) => (change: WatchChange) =>
    change.current === undefined ? 0 : pick(change.current)
  const ofPrevious = (pick: (value: WatchedValue) => number) => (change: WatchChange) =>
    change.previous === undefined ? 0 : pick(change.previous)
  return {
    rowCount: changes.length,
    flags: Uint8Array.from(changes, flagsOf),
    revisions: Float64Array.from(changes, (change) => change.revision),
    createRevisions: Float64Array.from(
      changes,
      ofCurrent((value) => value.createRevision),
    ),
    versions: Float64Array.from(
      changes,
      ofCurrent((value) => value.version),
    ),
    leases: BigInt64Array.from(
      changes,
      (change) => (change.current ?? change.previous)?.lease ?? 0n,
    ),
    sizesBytes: Int32Array.from(
      changes,
      ofCurrent((value) => value.sizeBytes),
    ),
    previousSizesBytes: Int32Array.from(
      changes,
      ofPrevious((value) => value.sizeBytes),
    ),
    previousRevisions: Float64Array.from(
      changes,
      ofPrevious((value) => value.modRevision),
    ),
    previousVersions: Float64Array.from(
      changes,
      ofPrevious((value) => value.version),
    ),
    bytes,
    offsets,
  }
}

function partsOf(change: WatchChange): readonly Uint8Array[] {
  return [change.key, change.current?.bytes ?? noBytes, change.previous?.bytes ?? noBytes]
}

function flagsOf(change: WatchChange): number {
  const { put, hasPrevious, completesRevision } = watchColumnFlags
  return (
    (change.kind === 'put' ? put : 0) +
    (change.previous === undefined ? 0 : hasPrevious) +
    (change.completesRevision === true ? completesRevision : 0)
  )
}
