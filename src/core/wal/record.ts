/**
 * The write-ahead log holds what a member has promised: the entries it has accepted, its term and vote, and where
 * snapshots stand. A promise is kept by writing here and syncing before it is spoken.
 *
 * The log is a directory of segments; a segment is a run of frames; a frame is one record. All of it is etcd's own
 * format, so etcd's tools read our logs and we read etcd's. One frame, byte for byte:
 *
 *     offset        size  content
 *     0             8     length word, little endian: low 56 bits the record's size; the top byte is 0x80 | padding
 *                         when there is padding (1 to 7), else 0
 *     8             size  record, protobuf: 08 kind, 10 checksum (varint), 1a length data (left out when empty)
 *     8 + size      0-7   zeros, so that the next frame starts at a multiple of 8
 *
 * The checksum is CRC-32C over the data of this record and of all records before it, over all segments: a record that
 * is missing, doubled or swapped breaks the chain as surely as a flipped bit. A segment begins with a record of kind
 * `checksum`, which carries the value over, then the metadata, then (except in the first segment) the hard state.
 *
 * Example: the first bytes of every new log are `04 00 00 00 00 00 00 84  08 04 10 00  00 00 00 00`: a record of 4
 * bytes and 4 of padding, kind 4 (checksum), value 0.
 *
 * What is not here: when to write and what a save means is `write-ahead-log.ts`; telling a torn write from damage is
 * `torn-tail.ts`.
 */

/** Record kinds by their numbers on disk. */
export const recordKinds = {
  metadata: 1,
  entry: 2,
  hardState: 3,
  checksum: 4,
  snapshot: 5,
} as const

export type RecordKind = (typeof recordKinds)[keyof typeof recordKinds]

/** Bytes of the length word. */
export const lengthWordBytes = 8

/** Disks write sectors of this size whole or not at all; a torn write shows at their borders. */
export const sectorBytes = 512

/** One record as it stands in a segment. `data` is a view of the read buffer: copy what must outlive the visit. */
export interface LogRecord {
  readonly kind: RecordKind
  readonly checksum: number
  readonly data: Uint8Array
  readonly segmentPath: string
  /** Where the frame begins in its segment. */
  readonly offsetBytes: number
}
