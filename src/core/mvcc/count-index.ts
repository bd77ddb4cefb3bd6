/**
 * How many keys of a range are alive, without walking it.
 *
 * The key space is cut into blocks of neighbouring keys. For each block its first possible key, the number of heads in
 * it and how many of them are alive are kept, in memory and in the `count` bucket. Counting a range adds up the blocks
 * that lie wholly inside and walks the two at its ends:
 *
 *     blocks   [\0, f) 120 alive   [f, m) 140   [m, t) 130   [t, …) 90
 *     count    [h, v)  =  walk [h, m)  +  130  +  walk [t, v)
 *
 * A block is split in two when it holds more than {@link blockHeadCountMax} heads. Heads of deleted keys count for that,
 * because a walk meets them as well. A block that has grown from nothing since the start, as the last one does while keys are
 * added in order, is split without a walk, because its keys are remembered. Where two blocks meet, the shortest byte string that separates their keys is kept,
 * so a few keys of a megabyte do not fill the memory.
 *
 *     count key   = 1 (1 B)  start of the block (one zero byte for the first)
 *     count value = alive (4 B BE)  heads (4 B BE)
 *
 * Memory and start-up time are those of one small entry for every 64 to 128 keys.
 */

import { assert } from '../base/assert.ts'
import { bytesOfLatin1, compareBytes, concatBytes, emptyBytes } from '../base/bytes.ts'
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import { readUint32, writeUint32 } from '../backend/buckets.ts'
import { nameOfKey } from '../backend/key-name.ts'
import type { ByteArena } from './byte-arena.ts'
import { scanHeads, visitHeads } from './index-store.ts'
import type { KeyBounds } from './key-range.ts'
import { isDeletedHead } from './key-index.ts'

/** A walk over half a block takes about 50 µs; a million keys make some 12,000 blocks, 2 MB. */
const blockHeadCountMax = 128
/** Blocks that only longer strings could separate stay one: such keys share their first 512 bytes. */
const separatorSizeBytesMax = 512
const smallestKey = Uint8Array.of(0)

/** So many blocks remember their keys: loads in order make one grow, loads of a few prefixes some. */
const rememberingBlockCountMax = 256

interface Block {
  readonly start: Uint8Array
  readonly storedKey: Uint8Array
  aliveCount: number
  headCount: number
  /** The name of every key that has a head in the block, in the order they came; undefined when that is not known. */
  members: string[] | undefined
  /** Whether the members came in key order. */
  isAscending: boolean
}

/** See the head of this file. Reflects every change of the store's index at once, also before it is committed. */
export class CountIndex {
  /** Grows when the number of alive keys of any range may have changed. */
  growthNumber = 0
  /** In key order; the first one starts at the smallest key there can be. */
  private readonly blocks: Block[]
  private readonly arena: ByteArena
  /** The blocks that remember their keys, the one that began first in front. */
  private readonly remembering: Block[]
  /** How many keys are alive before each block, as far as that was added up and nothing has changed. */
  private sums = new Float64Array(1)
  private summedCount = 0
  /** Where the last change was: the next one is often there too. */
  private lastPosition = 0
  /** Changed, and not yet in a batch. */
  private readonly changed = new Set<Block>()

  private constructor(blocks: Block[], arena: ByteArena) {
    this.blocks = blocks
    this.arena = arena
    this.remembering = blocks.filter((block) => block.members !== undefined)
  }

  static load(reader: BackendReader, arena: ByteArena): CountIndex {
    const blocks: Block[] = []
    for (const record of reader.scan('count', {})) {
      blocks.push({
        start: record.key.subarray(1),
        storedKey: record.key,
        aliveCount: readUint32(record.value, 0),
        headCount: readUint32(record.value, 4),
        members: undefined,
        isAscending: false,
      })
    }
    if (blocks.length === 0) blocks.push(emptyBlock())
    assert(
      blocks[0] !== undefined && compareBytes(blocks[0].start, smallestKey) === 0,
      'the first block starts at the smallest key',
    )
    return new CountIndex(blocks, arena)
  }

  get blockCount(): number {
    return this.blocks.length
  }

  /** How many keys within the bounds are alive now. `reader` must see the changes that this index was told of. */
  countAlive(reader: BackendReader, { start, end }: KeyBounds): number {
    if (end !== undefined && compareBytes(start, end) >= 0) return 0
    const first = this.positionOf(start)
    const last = end === undefined ? this.blocks.length : this.positionOf(end)
    if (first === last) return walkAlive(reader, { start, end })
    let count = 0
    let whole = first
    if (compareBytes(start, this.block(first).start) > 0) {
      whole++
      count += walkAlive(reader, { start, end: this.blocks[whole]?.start })
    }
    if (last > whole) count += this.aliveBefore(last) - this.aliveBefore(whole)
    if (end !== undefined) count += walkAlive(reader, { start: this.block(last).start, end })
    return count
  }

  /**
   * Whether it is known without a look-up that the key has no head: it comes after all others of the block that changed
   * last, and before the next one. Cheap where it does not.
   */
  isSurelyNew(key: Uint8Array): boolean {
    const block = this.blocks[this.lastPosition]
    if (block?.members === undefined || !block.isAscending) return false
    const last = block.members.at(-1)
    if (last === undefined) return this.isWithin(this.lastPosition, key)
    const next = this.blocks[this.lastPosition + 1]
    return isKeyBehind(key, last) && (next === undefined || compareBytes(key, next.start) < 0)
  }

  /**
   * Told after the head was put or removed: by how much the numbers of its block change. They are in the batch once
   * {@link flush} was called.
   */
  noteHead(
    batch: BackendBatch,
    key: Uint8Array,
    change: { readonly alive: -1 | 0 | 1; readonly heads: -1 | 0 | 1 },
  ): void {
    if (change.alive === 0 && change.heads === 0) return
    if (change.alive !== 0) this.growthNumber++
    const position = this.positionNear(key)
    const block = this.block(position)
    this.forgetSums(position)
    if (change.heads > 0) noteMember(block, key)
    else if (change.heads < 0) forgetMembers(block)
    block.aliveCount += change.alive
    block.headCount += change.heads
    assert(
      block.aliveCount >= 0 && block.aliveCount <= block.headCount,
      'no more keys are alive than have a head',
    )
    // Multiples only: a block that cannot be separated is not walked again at each put.
    if (change.heads > 0 && block.headCount % blockHeadCountMax === 0) this.split(batch, position)
    else if (block.headCount === 0 && position > 0) this.drop(batch, position)
    else this.changed.add(block)
  }

  /** Puts the numbers that have changed into the batch: once for all the changes of a request. */
  flush(batch: BackendBatch): void {
    if (this.changed.size === 0) return
    for (const block of this.changed) this.persist(batch, block)
    this.changed.clear()
  }

  private split(batch: BackendBatch, position: number): void {
    const block = this.block(position)
    const end = this.blocks[position + 1]?.start
    const half = block.headCount >> 1
    const upper = splitByMembers(block, half) ?? splitByWalk(batch, block, { end, half })
    if (upper !== undefined) {
      this.blocks.splice(position + 1, 0, upper)
      this.remember(upper)
      this.changed.add(upper)
    }
    this.changed.add(block)
  }

  /** Lets a new block remember its keys; the one that began first forgets its own. */
  private remember(block: Block): void {
    this.remembering.push(block)
    if (this.remembering.length <= rememberingBlockCountMax) return
    const oldest = this.remembering.shift()
    if (oldest !== undefined) forgetMembers(oldest)
  }

  private drop(batch: BackendBatch, position: number): void {
    const [block] = this.blocks.splice(position, 1)
    assert(block !== undefined, 'the block that is dropped exists')
    this.changed.delete(block)
    // Its keys, should there be any again, now belong to the block before it.
    batch.remove('count', block.storedKey)
  }

  private persist(batch: BackendBatch, block: Block): void {
    const value = this.arena.allocate(8)
    writeUint32(value, 0, block.aliveCount)
    writeUint32(value, 4, block.headCount)
    batch.put('count', block.storedKey, value)
  }

  /** How many keys are alive in the blocks before a position. */
  private aliveBefore(position: number): number {
    const { blocks } = this
    if (this.sums.length <= blocks.length) {
      const longer = new Float64Array(blocks.length * 2)
      longer.set(this.sums)
      this.sums = longer
    }
    const { sums } = this
    for (; this.summedCount < position; this.summedCount++) {
      const { summedCount } = this
      sums[summedCount + 1] = (sums[summedCount] ?? 0) + (blocks[summedCount]?.aliveCount ?? 0)
    }
    return sums[position] ?? 0
  }

  /** The sums behind a position are not right any more. */
  private forgetSums(position: number): void {
    if (position < this.summedCount) this.summedCount = position
  }

  private block(position: number): Block {
    const block = this.blocks[position]
    assert(block !== undefined, 'a block position is within bounds')
    return block
  }

  private positionNear(key: Uint8Array): number {
    const last = Math.min(this.lastPosition, this.blocks.length - 1)
    const isThere = this.isWithin(last, key)
    if (!isThere) this.lastPosition = this.positionOf(key)
    return isThere ? last : this.lastPosition
  }

  private isWithin(position: number, key: Uint8Array): boolean {
    const next = this.blocks[position + 1]
    return (
      compareBytes(key, this.block(position).start) >= 0 &&
      (next === undefined || compareBytes(key, next.start) < 0)
    )
  }

  /**
   * The block that the key belongs to, by bisection. Starts between two that share some first bytes with the key share
   * them as well, so these are not compared again: keys often differ only behind a long common path.
   */
  private positionOf(key: Uint8Array): number {
    let low = 0
    let high = this.blocks.length - 1
    let sharedWithLow = 0
    let sharedWithHigh = 0
    while (low < high) {
      const middle = (low + high + 1) >> 1
      const { start } = this.block(middle)
      let shared = Math.min(sharedWithLow, sharedWithHigh)
      while (shared < start.length && start[shared] === key[shared]) shared++
      // Equal up to its end, the start is a prefix of the key; behind the key's own end there is nothing to be less than.
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

/** Of a store without keys. */
function emptyBlock(): Block {
  return {
    start: smallestKey,
    storedKey: storedKeyOf(smallestKey),
    aliveCount: 0,
    headCount: 0,
    members: [],
    isAscending: true,
  }
}

function noteMember(block: Block, key: Uint8Array): void {
  const { members } = block
  if (members === undefined) return
  const last = members.at(-1)
  if (last !== undefined && !isKeyBehind(key, last)) block.isAscending = false
  members.push(nameOfKey(key))
}

function forgetMembers(block: Block): void {
  block.members = undefined
  block.isAscending = false
}

/** Whether a key comes after the one of this name. */
function isKeyBehind(key: Uint8Array, name: string): boolean {
  const sharedSizeBytes = Math.min(key.length, name.length)
  for (let offset = 0; offset < sharedSizeBytes; offset++) {
    const difference = (key[offset] ?? 0) - name.charCodeAt(offset)
    if (difference !== 0) return difference > 0
  }
  return key.length > name.length
}

/**
 * Takes the upper half out of a block whose keys are known and all alive.
 *
 * @returns it as a block of its own; undefined when that cannot be done without a walk
 */
function splitByMembers(block: Block, half: number): Block | undefined {
  const { members } = block
  if (members?.length !== block.headCount || block.aliveCount !== block.headCount) return undefined
  // The order of names is that of code units, which is that of bytes here.
  if (!block.isAscending) members.sort()
  block.isAscending = true
  const [below, above] = [members[half - 1], members[half]]
  if (below === undefined || above === undefined) return undefined
  const start = separatorOf(bytesOfLatin1(below), bytesOfLatin1(above))
  if (start === undefined) return undefined
  const upperCount = members.length - half
  block.members = members.slice(0, half)
  block.headCount = half
  block.aliveCount = half
  return {
    start,
    storedKey: storedKeyOf(start),
    aliveCount: upperCount,
    headCount: upperCount,
    members: members.slice(half),
    isAscending: true,
  }
}

/** The same for any block. The upper half is known afterwards, the lower one is not. */
function splitByWalk(
  reader: BackendReader,
  block: Block,
  { end, half }: { readonly end: Uint8Array | undefined; readonly half: number },
): Block | undefined {
  forgetMembers(block)
  const members: string[] = []
  let headCount = 0
  let aliveCount = 0
  let previous = emptyBytes
  let start: Uint8Array | undefined
  for (const { key, encodedHead } of scanHeads(reader, { start: block.start, end })) {
    if (start === undefined && headCount >= half) start = separatorOf(previous, key)
    if (start === undefined) {
      headCount++
      if (!isDeletedHead(encodedHead)) aliveCount++
      previous = key
    } else members.push(nameOfKey(key))
  }
  if (start === undefined) return undefined
  const upper = {
    start,
    storedKey: storedKeyOf(start),
    aliveCount: block.aliveCount - aliveCount,
    headCount: block.headCount - headCount,
    members,
    isAscending: true,
  }
  block.aliveCount = aliveCount
  block.headCount = headCount
  return upper
}

function walkAlive(reader: BackendReader, bounds: KeyBounds): number {
  let count = 0
  visitHeads(reader, bounds, ({ valueBytes, valueStart }) => {
    if (!isDeletedHead(valueBytes, valueStart)) count++
    return true
  })
  return count
}

/** The shortest string that is greater than `lower` and not greater than `upper`; none if that is too long. */
function separatorOf(lower: Uint8Array, upper: Uint8Array): Uint8Array | undefined {
  let shared = 0
  while (shared < lower.length && lower[shared] === upper[shared]) shared++
  return shared + 1 > separatorSizeBytesMax ? undefined : upper.slice(0, shared + 1)
}

function storedKeyOf(start: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(1), start])
}
