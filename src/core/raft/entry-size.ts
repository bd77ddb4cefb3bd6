/** How large entries are, for every limit in bytes. */
import type { Entry } from './message.ts'

/** Index, term, kind and frame of one entry on the wire, rounded up. */
const entryOverheadBytes = 24

/** Approximate encoded size of an entry in bytes. */
export function entrySizeBytes(entry: Pick<Entry, 'data'>): number {
  return entry.data.length + entryOverheadBytes
}

/** Sum of the payloads in bytes, without any overhead: an empty entry weighs nothing. */
export function payloadSizeBytes(entries: readonly Pick<Entry, 'data'>[]): number {
  let sizeBytes = 0
  for (const entry of entries) sizeBytes += entry.data.length
  return sizeBytes
}

/** Sum of the approximate encoded sizes in bytes. */
export function entriesSizeBytes(entries: readonly Pick<Entry, 'data'>[]): number {
  return payloadSizeBytes(entries) + entries.length * entryOverheadBytes
}

/**
 * The longest beginning of `entries` that weighs at most `sizeBytesMax`, and at least one entry if there is any, so
 * that an entry above the limit cannot block the log. Returns the array itself when all of it fits.
 */
export function entryPrefixWithin(
  entries: readonly Entry[],
  sizeBytesMax: number,
): readonly Entry[] {
  let sizeBytes = 0
  for (let position = 0; position < entries.length; position++) {
    const entry = entries[position]
    if (entry === undefined) break
    sizeBytes += entrySizeBytes(entry)
    if (sizeBytes > sizeBytesMax && position > 0) return entries.slice(0, position)
  }
  return entries
}
