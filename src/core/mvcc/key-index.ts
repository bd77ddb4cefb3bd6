/**
 * The versions of one key, as the index knows them.
 *
 * The problem: answer "what was this key at revision r?" and "which versions may a compaction drop?" without holding
 * every key in memory, without rewriting a key's whole history at each put, and without a second index to maintain.
 *
 * The plain idea: the newest version of each key lives in its *head*, and the record of each version names the one before
 * it. Reading at the current revision needs the head alone; reading at an older one goes back from record to record. So
 * that this takes a few steps and not one for each version, a record also names one further back, such that any version
 * is found in a number of steps that grows with the logarithm of the distance. A key written at 2, 4, deleted at 6 and
 * written again at 8 is
 *
 *     head    k → put at 8, created 8, version 1; trail: 6 of rank 2
 *     record  8 → before 6, further back 6
 *     record  6 → before 4, further back none (6 stands for 6, 4 and 2)
 *     record  4 → before 2, further back 2
 *     record  2 → none
 *
 * so at 5 the newest version not after it is 4: from 8 to 6 and from there, its jump leading too far, one back.
 *
 * The versions of a key form a list of trees, as the digits of a number form in skew binary: a version either joins the
 * two newest trees, when they are of the same size, or is a tree of its own. A tree of rank r holds 2^r - 1 versions, and
 * its root is the newest of them. A version's jump leads to the root of the next tree. The head keeps the roots, which is
 * all that the next put has to know.
 *
 * Versions that a compaction removed may still be named by later ones. Nobody who reads at a revision that is not
 * compacted needs them, except to learn that the key did not exist: a removed version is either older than one that was
 * kept and is not after the revision, or a tombstone.
 *
 * What etcd keeps as generations is in these records: a life of the key starts where `created` is its own revision and
 * ends at a tombstone. What is left out: the list of generations itself, which nothing asks for.
 *
 *     head value = flags (1 B: 1 deleted)  main (8 B BE)  sub (4 B BE)  created (8 B BE)  version (8 B BE)  rank (1 B)
 *                  trail: { main (8 B BE)  sub (4 B BE)  rank, and 128 for a tombstone (1 B) }, newest first
 *
 * @see E. W. Myers, An applicative random-access stack, Information Processing Letters 17 (1983)
 */

import { assert } from '../base/assert.ts'
import { emptyBytes } from '../base/bytes.ts'
import type { BackendReader } from '../backend/backend.ts'
import { readUint32, readUint64, writeUint32, writeUint64 } from '../backend/buckets.ts'
import type { ByteArena } from './byte-arena.ts'
import { getAncestry, type Ancestry } from './key-record.ts'
import type { KeyVersion } from './revision.ts'
import { probeVersion } from './version-probe.ts'

/** The newest version of a key: a put with the revision that created this life of it and its number in it; or (0, 0). */
export interface KeyHead extends KeyVersion {
  readonly created: number
  readonly version: number
  /** Of the tree whose root this version is. */
  readonly rank: number
  /** The roots of the other trees, encoded. */
  readonly trail: Uint8Array
}

const tombstoneFlag = 1
const headSizeBytes = 30
const trailEntrySizeBytes = 13
const tombstoneInRank = 0x80
/** In a tree of fewer versions the way to any of them is short. */
const denseRankMin = 4
/** Revisions from one version to the next, on average. */
const denseDistanceMax = 8

export function encodeHead(head: KeyHead, arena: ByteArena): Uint8Array {
  const bytes = arena.allocate(headSizeBytes + head.trail.length)
  bytes[0] = head.isTombstone ? tombstoneFlag : 0
  writeUint64(bytes, 1, head.main)
  writeUint32(bytes, 9, head.sub)
  writeUint64(bytes, 13, head.created)
  writeUint64(bytes, 21, head.version)
  bytes[29] = head.rank
  if (head.trail.length > 0) bytes.set(head.trail, headSizeBytes)
  return bytes
}

/** The bytes of the trail are shared with the result. */
export function decodeHead(bytes: Uint8Array): KeyHead {
  assert(bytes.length >= headSizeBytes, 'a head is whole')
  return {
    main: readUint64(bytes, 1),
    sub: readUint32(bytes, 9),
    isTombstone: isDeletedHead(bytes),
    created: readUint64(bytes, 13),
    version: readUint64(bytes, 21),
    rank: bytes[29] ?? 0,
    trail: bytes.length === headSizeBytes ? emptyBytes : bytes.subarray(headSizeBytes),
  }
}

/** Whether an encoded head is that of a deleted key, without decoding it. */
export function isDeletedHead(bytes: Uint8Array, start = 0): boolean {
  return ((bytes[start] ?? 0) & tombstoneFlag) !== 0
}

/** The main revision of an encoded head, without decoding the rest. */
export function mainOfHead(bytes: Uint8Array, start = 0): number {
  return readUint64(bytes, start + 1)
}

/** The second part of the revision of an encoded head. */
export function subOfHead(bytes: Uint8Array, start: number): number {
  return readUint32(bytes, start + 9)
}

/** The version alone of an encoded head. */
export function versionOfHead(bytes: Uint8Array, start: number): KeyVersion {
  return {
    main: mainOfHead(bytes, start),
    sub: subOfHead(bytes, start),
    isTombstone: isDeletedHead(bytes, start),
  }
}

/** As {@link decodeHead}, of bytes that are used again. */
export function copyHead(bytes: Uint8Array, start: number, sizeBytes: number): KeyHead {
  assert(sizeBytes >= headSizeBytes, 'a head is whole')
  const trailStart = start + headSizeBytes
  // Field by field: a spread of numbers that are no small integers costs ten times as much.
  return {
    main: mainOfHead(bytes, start),
    sub: subOfHead(bytes, start),
    isTombstone: isDeletedHead(bytes, start),
    created: readUint64(bytes, start + 13),
    version: readUint64(bytes, start + 21),
    rank: bytes[start + 29] ?? 0,
    trail: sizeBytes === headSizeBytes ? emptyBytes : bytes.slice(trailStart, start + sizeBytes),
  }
}

/** What a version adds to the index of its key: its place in the trees, and the versions that its record names. */
export interface Succession {
  readonly rank: number
  readonly trail: Uint8Array
  readonly ancestry: Ancestry
}

const firstOfAll: Succession = {
  rank: 1,
  trail: emptyBytes,
  ancestry: { previous: undefined, jump: undefined },
}

/** How a new version follows the newest one so far. */
export function succeed(head: KeyHead | undefined, arena: ByteArena): Succession {
  if (head === undefined) return firstOfAll
  const { trail } = head
  if (trail.length > 0 && rankAt(trail, 0) === head.rank) {
    const rest =
      trail.length === trailEntrySizeBytes ? emptyBytes : trail.subarray(trailEntrySizeBytes)
    const jump = rest.length === 0 ? undefined : versionAt(rest, 0)
    return { rank: head.rank + 1, trail: rest, ancestry: { previous: head, jump } }
  }
  const longer = arena.allocate(trailEntrySizeBytes + trail.length)
  writeUint64(longer, 0, head.main)
  writeUint32(longer, 8, head.sub)
  longer[12] = head.rank | (head.isTombstone ? tombstoneInRank : 0)
  if (trail.length > 0) longer.set(trail, trailEntrySizeBytes)
  return { rank: 1, trail: longer, ancestry: { previous: head, jump: head } }
}

/**
 * The newest version not after the revision, which is not compacted; a tombstone counts as one, though it may be gone.
 *
 * @param key  whose head it is, where that is known: a key that is written all the time is then looked for in history
 *             right at the revision, which is one step where the way from version to version takes twenty
 */
export function findVersionAt(
  reader: BackendReader,
  head: KeyHead,
  revision: number,
  key?: Uint8Array,
): KeyVersion | undefined {
  if (head.main <= revision) return head
  const tree = treeOf(head, revision)
  if (tree.rank === 1) return tree.older
  if (key !== undefined && isDense(tree)) {
    const near = probeVersion(reader, key, revision)
    if (near !== undefined) return near
  }
  let version = tree.root
  for (;;) {
    const { previous, jump } = getAncestry(reader, version)
    if (previous === undefined || previous.main <= revision) return previous
    version = jump !== undefined && jump.main > revision ? jump : previous
  }
}

/** A tree of versions, and the revision before which all older ones lie, as far as that is known. */
interface VersionTree {
  readonly root: KeyVersion
  readonly rank: number
  /** The root of the next tree, which is the version before the oldest one of this tree; undefined: there is none. */
  readonly older: KeyVersion | undefined
  readonly olderMain: number
}

/** The tree where versions not after the revision begin. */
function treeOf(head: KeyHead, revision: number): VersionTree {
  let root: KeyVersion = head
  let { rank } = head
  for (let offset = 0; offset < head.trail.length; offset += trailEntrySizeBytes) {
    const next = versionAt(head.trail, offset)
    if (next.main <= revision) return { root, rank, older: next, olderMain: next.main }
    root = next
    rank = rankAt(head.trail, offset)
  }
  // Nothing is known of an earlier life, but that it only makes the tree denser.
  const olderMain = head.created < root.main ? head.created : 0
  return { root, rank, older: undefined, olderMain }
}

/** Whether the versions of a tree are many, and a fair part of what was written meanwhile. */
function isDense({ root, rank, olderMain }: VersionTree): boolean {
  return rank >= denseRankMin && 2 ** rank * denseDistanceMax > root.main - olderMain
}

function versionAt(trail: Uint8Array, offset: number): KeyVersion {
  return {
    main: readUint64(trail, offset),
    sub: readUint32(trail, offset + 8),
    isTombstone: ((trail[offset + 12] ?? 0) & tombstoneInRank) !== 0,
  }
}

function rankAt(trail: Uint8Array, offset: number): number {
  return (trail[offset + 12] ?? 0) & (tombstoneInRank - 1)
}
