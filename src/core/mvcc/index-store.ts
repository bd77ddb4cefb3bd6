/**
 * The heads of all keys in key order, whatever the length of a key.
 *
 * LMDB takes keys of up to some 1,900 bytes, etcd's may have more than a million. A key of at most
 * {@link partSizeBytesMax} bytes is a key of the `head` bucket as it is. A longer one is cut into parts of that size, and
 * becomes a path in a tree: each part but the last leads to a numbered node, whose entries begin with the node's number.
 *
 *     head     ABC                  → head of the short key ABC
 *     head     <1024 bytes> 00      → number of the node, say 7, for all keys that go on after these bytes
 *     longkey  7 <up to 1024 bytes> → head of the key that ends here
 *     longkey  7 <1024 bytes> 00    → number of the next node
 *
 * An entry of more than 1024 bytes behind the node's number can only lead to a node, and sorts after the key that ends
 * with these bytes and before any that is greater: so walking the tree in entry order is walking the keys in order.
 */

import { assert } from '../base/assert.ts'
import { compareBytes, concatBytes, emptyBytes, equalBytes } from '../base/bytes.ts'
import type { BackendBatch, BackendReader, ScanOptions } from '../backend/backend.ts'
import { encodeUint64, metaKeys, readUint64 } from '../backend/buckets.ts'
import type { ByteArena } from './byte-arena.ts'
import { decodeHead, encodeHead, type KeyHead } from './key-index.ts'
import type { KeyBounds } from './key-range.ts'

/** The longest key that is kept whole. */
export const partSizeBytesMax = 1_024

const rootNode = 0
const nodeMark = Uint8Array.of(0)
const afterNodeMark = Uint8Array.of(1)

/** A key with its head still encoded, because most walks look at one flag only. */
export interface HeadEntry {
  readonly key: Uint8Array
  readonly encodedHead: Uint8Array
}

export function findHead(reader: BackendReader, key: Uint8Array): KeyHead | undefined {
  if (key.length <= partSizeBytesMax) {
    const short = reader.get('head', key)
    return short === undefined ? undefined : decodeHead(short)
  }
  let node = rootNode
  let offset = 0
  while (key.length - offset > partSizeBytesMax) {
    const next = reader.get(bucketOf(node), partEntry(node, key, offset))
    if (next === undefined) return undefined
    node = readUint64(next, 0)
    offset += partSizeBytesMax
  }
  const encoded = reader.get(bucketOf(node), lastEntry(node, key, offset))
  return encoded === undefined ? undefined : decodeHead(encoded)
}

/** A key and its newest version. */
export interface IndexedKey {
  readonly key: Uint8Array
  readonly head: KeyHead
}

export function putHead(batch: BackendBatch, { key, head }: IndexedKey, arena: ByteArena): void {
  if (key.length <= partSizeBytesMax) {
    batch.put('head', key, encodeHead(head, arena))
    return
  }
  let node = rootNode
  let offset = 0
  while (key.length - offset > partSizeBytesMax) {
    const entry = partEntry(node, key, offset)
    const next = batch.get(bucketOf(node), entry)
    let nextNode: number
    if (next === undefined) {
      nextNode = takeLongKeyNumber(batch)
      batch.put(bucketOf(node), entry, encodeUint64(nextNode))
    } else nextNode = readUint64(next, 0)
    node = nextNode
    offset += partSizeBytesMax
  }
  batch.put(bucketOf(node), lastEntry(node, key, offset), encodeHead(head, arena))
}

/** Removes the head, and the nodes that led to nothing else. */
export function removeHead(batch: BackendBatch, key: Uint8Array): void {
  const path: { readonly node: number; readonly entry: Uint8Array }[] = []
  let node = rootNode
  let offset = 0
  while (key.length - offset > partSizeBytesMax) {
    const entry = partEntry(node, key, offset)
    const next = batch.get(bucketOf(node), entry)
    assert(next !== undefined, 'a head that is removed exists')
    path.push({ node, entry })
    node = readUint64(next, 0)
    offset += partSizeBytesMax
  }
  batch.remove(bucketOf(node), lastEntry(node, key, offset))
  for (let parent = path.pop(); parent !== undefined; parent = path.pop()) {
    if (!isEmptyNode(batch, node)) return
    batch.remove(bucketOf(parent.node), parent.entry)
    node = parent.node
  }
}

/** A number never given before. */
function takeLongKeyNumber(batch: BackendBatch): number {
  const stored = batch.get('meta', metaKeys.longKeyNodeNumber)
  const number = (stored === undefined ? rootNode : readUint64(stored, 0)) + 1
  batch.put('meta', metaKeys.longKeyNodeNumber, encodeUint64(number))
  return number
}

/** Heads of all keys within the bounds in key order, those of deleted keys too. Nothing may be written meanwhile. */
export function scanHeads(reader: BackendReader, bounds: KeyBounds): Iterable<HeadEntry> {
  return scanNode(reader, { node: rootNode, prefix: emptyBytes, ...bounds })
}

/** A head where it lies: the bytes are used again for the next one, and go on behind the head. */
export interface SeenHead {
  readonly valueBytes: Uint8Array
  readonly valueStart: number
  readonly valueSizeBytes: number
  copyKey(): Uint8Array
}

/** Sees a head, and reads nothing meanwhile. Returns whether to go on. */
export type HeadVisitor = (head: SeenHead) => boolean

/** As {@link scanHeads}, without making anything for each key as long as no key is long. */
export function visitHeads(reader: BackendReader, bounds: KeyBounds, visitor: HeadVisitor): void {
  const { start, end } = bounds
  const walk: { isWanted: boolean; longFrom: Uint8Array | undefined } = {
    isWanted: true,
    longFrom: undefined,
  }
  if (start.length > partSizeBytesMax || (end?.length ?? 0) > partSizeBytesMax)
    walk.longFrom = start
  else {
    reader.visit('head', end === undefined ? { start } : { start, end }, (record) => {
      if (record.keyEnd - record.keyStart > partSizeBytesMax) {
        walk.longFrom = record.copyKey().subarray(0, partSizeBytesMax)
        return false
      }
      walk.isWanted = visitor(record)
      return walk.isWanted
    })
  }
  const { isWanted, longFrom } = walk
  if (!isWanted || longFrom === undefined) return
  // The key that ends with these bytes was met, if there is one: those that go on after them are left.
  const after = longFrom === start ? start : concatBytes([longFrom, nodeMark])
  for (const { key, encodedHead } of scanHeads(reader, { start: after, end })) {
    const isWanted = visitor({
      valueBytes: encodedHead,
      valueStart: 0,
      valueSizeBytes: encodedHead.length,
      copyKey: () => key,
    })
    if (!isWanted) return
  }
}

function* scanNode(
  reader: BackendReader,
  place: KeyBounds & { readonly node: number; readonly prefix: Uint8Array },
): Iterable<HeadEntry> {
  const { node, prefix, start, end } = place
  const numberSizeBytes = node === rootNode ? 0 : 8
  for (const record of reader.scan(bucketOf(node), boundsOfNode(node, place))) {
    const part = numberSizeBytes === 0 ? record.key : record.key.subarray(numberSizeBytes)
    if (part.length <= partSizeBytesMax) {
      if (start.length > partSizeBytesMax && compareBytes(part, start) < 0) continue
      const key = prefix.length === 0 ? part : concatBytes([prefix, part])
      yield { key, encodedHead: record.value }
      continue
    }
    const leading = part.subarray(0, partSizeBytesMax)
    yield* scanNode(reader, {
      node: readUint64(record.value, 0),
      prefix: concatBytes([prefix, leading]),
      start: restBehind(start, leading) ?? emptyBytes,
      end: end === undefined ? undefined : restBehind(end, leading),
    })
  }
}

function boundsOfNode(node: number, { start, end }: KeyBounds): ScanOptions {
  const number = node === rootNode ? emptyBytes : encodeUint64(node)
  const first = concatBytes([number, start.subarray(0, partSizeBytesMax)])
  if (end !== undefined) {
    const last = [number, end.subarray(0, partSizeBytesMax)]
    // A longer end lies behind the node that its first bytes lead to: the scan must still reach that one.
    if (end.length > partSizeBytesMax) last.push(afterNodeMark)
    return { start: first, end: concatBytes(last) }
  }
  return node === rootNode ? { start: first } : { start: first, end: encodeUint64(node + 1) }
}

/** What follows `leading` in a longer bound that begins with it; undefined when the bound cuts elsewhere. */
function restBehind(bound: Uint8Array, leading: Uint8Array): Uint8Array | undefined {
  if (bound.length <= partSizeBytesMax) return undefined
  if (!equalBytes(bound.subarray(0, partSizeBytesMax), leading)) return undefined
  return bound.subarray(partSizeBytesMax)
}

function isEmptyNode(reader: BackendReader, node: number): boolean {
  const bounds = { start: encodeUint64(node), end: encodeUint64(node + 1) }
  for (const _ of reader.scan(bucketOf(node), bounds)) return false
  return true
}

function bucketOf(node: number): 'head' | 'longkey' {
  return node === rootNode ? 'head' : 'longkey'
}

function partEntry(node: number, key: Uint8Array, offset: number): Uint8Array {
  const part = key.subarray(offset, offset + partSizeBytesMax)
  const number = node === rootNode ? emptyBytes : encodeUint64(node)
  return concatBytes([number, part, nodeMark])
}

function lastEntry(node: number, key: Uint8Array, offset: number): Uint8Array {
  if (node === rootNode) return key
  return concatBytes([encodeUint64(node), key.subarray(offset)])
}
