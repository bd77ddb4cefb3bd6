/**
 * The native half of lmdb-js, called without its JavaScript half.
 *
 * The JavaScript half is general: it makes a promise, a closure and a list node for each record written, and goes through
 * a buffer whose length is an accessor for each record read. Both cost several times the work itself. What is used here:
 *
 * - *Reading.* The key is put into a buffer that both sides share, the call returns the size of the value, and the value is
 *   in another shared buffer. A cursor leaves its key behind the first 32 bytes of the key buffer.
 * - *Writing.* A worker thread executes a list of instructions in memory as one transaction; see `lmdb-instructions.ts`.
 *
 * These calls are not documented by the library, so its version is fixed, and only the files named `lmdb-*` know them.
 *
 * @see lmdb-js 3.5: read.js, write.js, src/dbi.cpp, src/cursor.cpp, src/writer.cpp
 */

import * as lmdb from 'lmdb'
import { assert } from '../base/assert.ts'
import { StorageFault } from '../errors/storage-fault.ts'

/** Native objects are passed around by address, which is a number below 2^48. */
export type NativeAddress = number

/** An open environment. */
export interface NativeEnvironment {
  /** Executes the instructions at the address; the callback is told 1 when they are visible, then 0 or an error code. */
  startWriting(instructions: NativeAddress, callback: (status: number) => void): void
  stat(): NativeTreeStats
  freeStat(): NativeTreeStats
  info(): { readonly lastPageNumber: number; readonly mapSize: number }
}

/** A named database in an environment. */
export interface NativeDatabase {
  readonly address: NativeAddress
  /** By which instructions name it. */
  readonly dbi: number
  stat(): NativeTreeStats
}

/** Size of one tree. */
export interface NativeTreeStats {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

/** A read transaction. */
export interface NativeTransaction {
  readonly address: NativeAddress
  abort(): void
}

/** A cursor in a read transaction. */
export interface NativeCursor {
  readonly address: NativeAddress
  close(): void
}

/** The native module. */
export interface NativeLmdb {
  readonly globalBuffer: Uint8Array
  readonly Txn: new (environment: NativeEnvironment, flags: number) => NativeTransaction
  readonly Cursor: new (database: NativeDatabase, transaction: NativeAddress) => NativeCursor
  /** @returns the size of the value, which is in the value buffer then; negative: why not */
  getByBinary(
    database: NativeAddress,
    keySizeBytes: number,
    unused: number,
    transaction: NativeAddress,
  ): number
  /** Begins a walk. @returns the size of the key, 0 at the end, negative for an error */
  position(
    cursor: NativeAddress,
    flags: number,
    offset: number,
    keySizeBytes: number,
    endKey: NativeAddress,
  ): number
  /** Goes on with it; the result is that of `position`. */
  iterate(cursor: NativeAddress): number
  /** The value at the cursor again, into the value buffer. */
  getCurrentValue(cursor: NativeAddress): number
  /** Lets go of the snapshot; the next read with this transaction takes the newest one. */
  resetTxn(transaction: NativeAddress): void
  getAddress(buffer: ArrayBufferLike): NativeAddress
  /** The value of the key in the key buffer, where it lies in the map; undefined when there is none. */
  getSharedByBinary(database: NativeAddress, keySizeBytes: number): Buffer | undefined
  getBufferAddress(buffer: Uint8Array): NativeAddress
  /** Memory that is not the caller's; to be detached before it goes. */
  createBufferForAddress(address: NativeAddress, sizeBytes: number): Buffer
  /** Takes the memory away from everybody who looks at it. */
  detachBuffer(buffer: ArrayBufferLike): void
  /** Where values are put from now on. */
  setGlobalBuffer(buffer: Uint8Array): void
  /** Throws an error that describes the code. */
  lmdbError(code: number): void
}

/** Flag of a transaction that only reads. */
export const readOnlyFlag = 0x2_0000

/** Where a cursor leaves its key in the key buffer. */
export const cursorKeyOffset = 32

/** What LMDB says when there is no such key. */
const notFoundCode = -30_798
/** The value is larger than the value buffer; its size is in the first four bytes of the key buffer. */
const sizeElsewhereCodes: readonly number[] = [-30_000, -30_001]

/** The module, with every call in place that is used. */
export const nativeLmdb: NativeLmdb = (lmdb as unknown as { readonly nativeAddon: NativeLmdb })
  .nativeAddon

const landing = nativeLmdb.globalBuffer

/**
 * Where values arrive, whole, until the next read. A view of our own: lmdb-js moves the length of its own buffer about.
 */
export const valueBuffer = new Uint8Array(
  landing.buffer,
  landing.byteOffset,
  nativeLmdb.globalBuffer.byteLength,
)

/**
 * Makes sense of what a read returned.
 *
 * @param keyBuffer  the shared one
 * @returns the size of the value; undefined when there is none
 * @throws StorageFault what LMDB says
 */
export function valueSizeOf(result: number, keyBuffer: Uint8Array): number | undefined {
  if (result >= 0) return result
  if (result === notFoundCode) return undefined
  if (sizeElsewhereCodes.includes(result)) return readUint32LittleEndian(keyBuffer, 0)
  throw new StorageFault(`the database cannot be read: ${describeLmdbCode(result)}`, {
    path: 'lmdb',
  })
}

/** Size of the value that a cursor found. */
export function cursorValueSizeBytes(keyBuffer: Uint8Array): number {
  return readUint32LittleEndian(keyBuffer, 0)
}

/** Reads a value that is larger than the value buffer into memory of its own. */
export function readLargeValue(sizeBytes: number, read: () => void): Uint8Array {
  assert(sizeBytes > valueBuffer.length, 'only a value without room is read apart')
  const own = Buffer.alloc(sizeBytes)
  nativeLmdb.setGlobalBuffer(own)
  try {
    read()
  } finally {
    nativeLmdb.setGlobalBuffer(
      Buffer.from(valueBuffer.buffer, valueBuffer.byteOffset, valueBuffer.length),
    )
  }
  return own
}

/** LMDB's words for one of its codes. */
export function describeLmdbCode(code: number): string {
  try {
    nativeLmdb.lmdbError(code)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return `code ${code}`
}

/** The machine's own order, which is that of all the machines LMDB's files are made for here. */
function readUint32LittleEndian(source: Uint8Array, offset: number): number {
  return (
    ((source[offset] ?? 0) |
      ((source[offset + 1] ?? 0) << 8) |
      ((source[offset + 2] ?? 0) << 16) |
      ((source[offset + 3] ?? 0) << 24)) >>>
    0
  )
}
