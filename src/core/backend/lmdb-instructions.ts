/**
 * A transaction as a list of instructions in memory, for LMDB's worker thread.
 *
 *     put     15 (4 B)  database (4 B)  key size (4 B)  key, padded  value size (4 B)  address of the value (8 B, double)
 *     remove  13 (4 B)  database (4 B)  key size (4 B)  key, padded
 *     go on    3 (4 B)  0 (4 B)  address of the next instruction (8 B, double)
 *     end      0 (4 B)
 *
 * in the machine's byte order, each at a multiple of 8 bytes. Keys stand in the list; values are read where they are when
 * the instruction is executed, so they must stay as they are until then. Short ones are copied behind the instructions,
 * because a short array has no address until it is given one at some cost.
 *
 * A list is used again when its transaction is done.
 *
 * @see lmdb-js 3.5: write.js `writeInstructions`, src/writer.cpp `WriteWorker::DoWrites`
 */

import { assert } from '../base/assert.ts'
import { bucketKeySizeBytesMax } from './buckets.ts'
import { nativeLmdb, type NativeAddress } from './lmdb-native.ts'

const putInstruction = 15
const removeInstruction = 13
const goOnInstruction = 3

const chunkSizeBytes = 262_144
/** Kept for the next transaction; a rare large one gives the rest back. */
const keptChunkCountMax = 16
/** V8 holds arrays up to this size in its heap. */
const copiedValueSizeBytesMax = 64
/** The longest instruction, the copy of a value, and the way to the next chunk. */
const roomSizeBytes = bucketKeySizeBytesMax + copiedValueSizeBytesMax + 64
/** The worker notes the number of its transaction in front of the end, which may be the first instruction. */
const firstInstructionOffset = 8

interface Chunk {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  readonly doubles: Float64Array
  readonly address: NativeAddress
}

/** See the head of this file. */
export class InstructionList {
  private chunks: Chunk[] = [makeChunk()]
  private position = 0
  private chunk = this.chunkAt(0)
  /** Where the next instruction goes, and the first of the copied values at the end of the chunk. */
  private offset = firstInstructionOffset
  private copiesOffset = chunkSizeBytes
  /** Memory of values that the worker reads. */
  private held: ArrayBufferLike[] = []
  private lastBuffer: ArrayBufferLike | undefined
  private lastAddress: NativeAddress = 0

  put(database: number, key: Uint8Array, value: Uint8Array): void {
    this.begin(putInstruction, database, key)
    const { chunk, offset } = this
    let address: NativeAddress
    if (value.length <= copiedValueSizeBytesMax) {
      this.copiesOffset -= value.length
      chunk.bytes.set(value, this.copiesOffset)
      address = chunk.address + this.copiesOffset
    } else address = this.addressOf(value)
    chunk.words[(offset >> 2) - 1] = value.length
    chunk.doubles[offset >> 3] = address
    this.offset = offset + 8
  }

  remove(database: number, key: Uint8Array): void {
    this.begin(removeInstruction, database, key)
  }

  /** Ends the list. @returns where it begins; executed once, and not changed until that is done */
  end(): NativeAddress {
    this.chunk.words[this.offset >> 2] = 0
    return this.chunkAt(0).address + firstInstructionOffset
  }

  /** Empties the list. */
  clear(): void {
    if (this.chunks.length > keptChunkCountMax) this.chunks.length = keptChunkCountMax
    this.useChunk(0)
    this.held = []
    this.lastBuffer = undefined
  }

  /** Writes everything up to the key, and leaves the offset behind its padding. */
  private begin(instruction: number, database: number, key: Uint8Array): void {
    assert(key.length <= bucketKeySizeBytesMax, 'a key fits into an instruction')
    if (this.offset + roomSizeBytes > this.copiesOffset) this.goOn()
    const { offset } = this
    const { bytes, words } = this.chunk
    const word = offset >> 2
    words[word] = instruction
    words[word + 1] = database
    words[word + 2] = key.length
    bytes.set(key, offset + 12)
    this.offset = (offset + 12 + key.length + 16) & ~7
  }

  private goOn(): void {
    const { chunk, offset } = this
    const next = this.position + 1
    if (next === this.chunks.length) this.chunks.push(makeChunk())
    chunk.words[offset >> 2] = goOnInstruction
    chunk.words[(offset >> 2) + 1] = 0
    chunk.doubles[(offset >> 3) + 1] = this.chunkAt(next).address + firstInstructionOffset
    this.useChunk(next)
  }

  private useChunk(position: number): void {
    this.position = position
    this.chunk = this.chunkAt(position)
    this.offset = firstInstructionOffset
    this.copiesOffset = chunkSizeBytes
  }

  private chunkAt(position: number): Chunk {
    const chunk = this.chunks[position]
    assert(chunk !== undefined, 'a chunk is made before it is used')
    return chunk
  }

  /** Values of one turn share their memory, which is asked for its address once. */
  private addressOf(value: Uint8Array): NativeAddress {
    const { buffer } = value
    if (buffer !== this.lastBuffer) {
      this.lastBuffer = buffer
      this.lastAddress = nativeLmdb.getAddress(buffer)
      this.held.push(buffer)
    }
    return this.lastAddress + value.byteOffset
  }
}

function makeChunk(): Chunk {
  const buffer = new ArrayBuffer(chunkSizeBytes)
  return {
    bytes: new Uint8Array(buffer),
    words: new Uint32Array(buffer),
    doubles: new Float64Array(buffer),
    address: nativeLmdb.getAddress(buffer),
  }
}
