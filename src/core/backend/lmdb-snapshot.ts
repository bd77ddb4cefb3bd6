/**
 * Reads of one LMDB environment as of one moment, until they are told to move on to the newest state.
 *
 * All reads go through two buffers that LMDB shares with everybody, so a result is copied before the next read, or looked
 * at in place by a visitor that reads nothing meanwhile. Cursors are kept for the next scan of the same bucket; each
 * stands still in its snapshot, so they end with it.
 */

import { assert } from '../base/assert.ts'
import { compareBytes, emptyBytes } from '../base/bytes.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { BackendRecord, RawRecord, RecordVisitor, ScanOptions } from './backend.ts'
import {
  cursorKeyOffset,
  cursorValueSizeBytes,
  describeLmdbCode,
  nativeLmdb,
  readLargeValue,
  readOnlyFlag,
  valueBuffer,
  valueSizeOf,
  type NativeAddress,
  type NativeCursor,
  type NativeDatabase,
  type NativeEnvironment,
  type NativeTransaction,
} from './lmdb-native.ts'
import type { LmdbMap, TreeRoots } from './lmdb-map.ts'
import { PageWalk, type FoundRecord } from './lmdb-pages.ts'

const includeValuesFlag = 0x100
const reverseFlag = 0x400
const inclusiveEndFlag = 0x8000
const exclusiveStartFlag = 0x1_0000

/** LMDB has no empty key; the smallest one there can be sorts the same. */
const smallestKey = Uint8Array.of(0)
/** Room for the longest key, with its size in front. */
const endKeyRoomSizeBytes = 4_096

/** A cursor with the memory that its end is read from while it walks. */
interface Walker {
  readonly cursor: NativeCursor
  readonly endKey: Uint8Array
  readonly endKeySize: Uint32Array
  readonly endKeyAddress: NativeAddress
  /** Which of the snapshot's states it stands in. */
  readonly stateNumber: number
}

/** See the head of this file. */
export class LmdbSnapshot {
  private readonly keyBuffer: Uint8Array
  private readonly keySource: CopySource
  private readonly transaction: NativeTransaction
  private readonly idleWalkers = new Map<NativeDatabase, Walker>()
  private readonly copies = new CopySlab()
  private stateNumber = 0
  private readonly raw: { -readonly [Field in keyof RawRecord]: RawRecord[Field] }
  private readonly map: LmdbMap | undefined
  /** Of the state that is read; `unknown` until somebody walks it. */
  private roots: TreeRoots | undefined | 'unknown' = 'unknown'

  /**
   * @param keyBuffer  where the environment takes keys from
   * @param map        for a snapshot whose reader does not mind that a walk may see what was committed since it began
   */
  constructor(environment: NativeEnvironment, keyBuffer: Uint8Array, map?: LmdbMap) {
    this.keyBuffer = keyBuffer
    this.map = map
    this.keySource = copySourceOf(keyBuffer)
    this.transaction = new nativeLmdb.Txn(environment, readOnlyFlag)
    this.raw = {
      keyBytes: keyBuffer,
      keyStart: cursorKeyOffset,
      keyEnd: cursorKeyOffset,
      valueBytes: valueBuffer,
      valueStart: 0,
      valueSizeBytes: 0,
      copyKey: () => this.copyFoundKey(this.raw.keyEnd - cursorKeyOffset),
      copyValue: (start = 0, end = this.raw.valueSizeBytes) =>
        this.raw.valueBytes === valueBuffer
          ? this.copyFoundValue(this.raw.valueSizeBytes, start, end)
          : this.raw.valueBytes.subarray(start, end),
    }
  }

  /** The value, in memory of its own. */
  get(database: NativeDatabase, key: Uint8Array): Uint8Array | undefined {
    const sizeBytes = this.find(database, key)
    if (sizeBytes === undefined) return undefined
    if (sizeBytes > valueBuffer.length) {
      return readLargeValue(sizeBytes, () => this.find(database, key))
    }
    return this.copyFoundValue(sizeBytes)
  }

  /** The records in order, each in memory of its own. */
  scan(database: NativeDatabase, options: ScanOptions): IterableIterator<BackendRecord> {
    return new StoredScan(this, database, options)
  }

  /** Shows the records in order until the visitor has seen enough. */
  visit(database: NativeDatabase, options: ScanOptions, visitor: RecordVisitor): void {
    if (!this.visitMapped(database, options, visitor)) {
      this.visitStored(database, options, visitor)
    }
  }

  /** @returns false: nothing was shown, because the map cannot be looked at */
  private visitMapped(
    database: NativeDatabase,
    options: ScanOptions,
    visitor: RecordVisitor,
  ): boolean {
    const { map } = this
    if (map === undefined || options.isReverse === true) return false
    const root = this.rootOf(map, database)
    if (root === undefined) return false
    const { start, end } = options
    if (end !== undefined && compareBytes(start ?? emptyBytes, end) >= 0) return true
    const record = new MappedRecord(this.copies)
    const walk = new PageWalk(map, record, {
      onRecord: () => visitor(record),
      readApart: () => {
        const { keyBytes, keyStart, keyEnd } = record
        const value = this.get(database, keyBytes.subarray(keyStart, keyEnd))
        assert(value !== undefined, 'a record that is walked can be read')
        record.valueBytes = value
        record.valueStart = 0
      },
    })
    walk.visit(root, options)
    return true
  }

  private rootOf(map: LmdbMap, database: NativeDatabase): number | undefined {
    if (this.roots === 'unknown') {
      // A read holds on to the state that the transaction is at, and so to every later one.
      this.find(database, smallestKey)
      this.roots = map.readRoots()
    }
    return this.roots?.get(database)
  }

  private visitStored(
    database: NativeDatabase,
    options: ScanOptions,
    visitor: RecordVisitor,
  ): void {
    const walker = this.takeWalker(database)
    try {
      const { raw } = this
      const cursor = walker.cursor.address
      let keySizeBytes = this.begin(walker, options)
      while (keySizeBytes > 0) {
        raw.keyEnd = cursorKeyOffset + keySizeBytes
        raw.valueSizeBytes = cursorValueSizeBytes(this.keyBuffer)
        raw.valueBytes = valueBuffer
        if (raw.valueSizeBytes > valueBuffer.length) raw.valueBytes = this.readLarge(walker)
        if (!visitor(raw)) return
        keySizeBytes = nativeLmdb.iterate(cursor)
      }
      checkEnd(keySizeBytes)
    } finally {
      this.giveBack(database, walker)
    }
  }

  /** From now on reads see the newest committed state. No scan may be open. */
  renew(): void {
    this.closeWalkers()
    this.roots = 'unknown'
    this.stateNumber++
    nativeLmdb.resetTxn(this.transaction.address)
  }

  close(): void {
    this.closeWalkers()
    this.transaction.abort()
  }

  /** A cursor of this snapshot that nobody else uses. */
  takeWalker(database: NativeDatabase): Walker {
    const idle = this.idleWalkers.get(database)
    if (idle !== undefined) {
      this.idleWalkers.delete(database)
      return idle
    }
    const buffer = new ArrayBuffer(endKeyRoomSizeBytes)
    return {
      cursor: new nativeLmdb.Cursor(database, this.transaction.address),
      endKey: new Uint8Array(buffer, 4),
      endKeySize: new Uint32Array(buffer, 0, 1),
      endKeyAddress: nativeLmdb.getAddress(buffer),
      stateNumber: this.stateNumber,
    }
  }

  giveBack(database: NativeDatabase, walker: Walker): void {
    const isOfThePast = walker.stateNumber !== this.stateNumber
    if (isOfThePast || this.idleWalkers.has(database)) walker.cursor.close()
    else this.idleWalkers.set(database, walker)
  }

  /** Puts the cursor on the first record. @returns the size of its key; 0 when there is none */
  begin(walker: Walker, { start, end, isReverse }: ScanOptions): number {
    if (end?.length === 0) return 0
    const lower = start === undefined || start.length === 0 ? smallestKey : start
    const first = isReverse === true ? end : lower
    const last = isReverse === true ? lower : end
    const flags =
      isReverse === true
        ? includeValuesFlag | reverseFlag | exclusiveStartFlag | inclusiveEndFlag
        : includeValuesFlag
    if (last !== undefined) {
      walker.endKey.set(last)
      walker.endKeySize[0] = last.length
    }
    if (first !== undefined) this.keyBuffer.set(first)
    return nativeLmdb.position(
      walker.cursor.address,
      first === undefined ? flags & ~exclusiveStartFlag : flags,
      0,
      first === undefined ? 0 : first.length,
      last === undefined ? 0 : walker.endKeyAddress,
    )
  }

  /** The record that a cursor found, in memory of its own. */
  recordAt(walker: Walker, keySizeBytes: number): BackendRecord {
    assert(walker.stateNumber === this.stateNumber, 'a scan ends in the turn it began in')
    const sizeBytes = cursorValueSizeBytes(this.keyBuffer)
    const key = this.copyFoundKey(keySizeBytes)
    const value =
      sizeBytes > valueBuffer.length ? this.readLarge(walker) : this.copyFoundValue(sizeBytes)
    return { key, value }
  }

  private copyFoundKey(sizeBytes: number): Uint8Array {
    return this.copies.copy(this.keySource, { start: cursorKeyOffset, sizeBytes })
  }

  private copyFoundValue(sizeBytes: number, from = 0, to = sizeBytes): Uint8Array {
    return this.copies.copy(valueSource, { start: 0, sizeBytes, from, to })
  }

  private readLarge(walker: Walker): Uint8Array {
    return readLargeValue(cursorValueSizeBytes(this.keyBuffer), () => {
      nativeLmdb.getCurrentValue(walker.cursor.address)
    })
  }

  private find(database: NativeDatabase, key: Uint8Array): number | undefined {
    this.keyBuffer.set(key)
    const result = nativeLmdb.getByBinary(database.address, key.length, 0, this.transaction.address)
    return result >= 0 ? result : valueSizeOf(result, this.keyBuffer)
  }

  private closeWalkers(): void {
    for (const walker of this.idleWalkers.values()) walker.cursor.close()
    this.idleWalkers.clear()
  }
}

/** A record in the map. */
class MappedRecord implements RawRecord, FoundRecord {
  keyBytes: Uint8Array = emptyBytes
  keyStart = 0
  keyEnd = 0
  valueBytes: Uint8Array = emptyBytes
  valueStart = 0
  valueSizeBytes = 0
  private readonly copies: CopySlab

  constructor(copies: CopySlab) {
    this.copies = copies
  }

  copyKey(): Uint8Array {
    return this.copies.copyPart(this.keyBytes, this.keyStart, this.keyEnd)
  }

  copyValue(start = 0, end = this.valueSizeBytes): Uint8Array {
    const { valueBytes, valueStart } = this
    return this.copies.copyPart(valueBytes, valueStart + start, valueStart + end)
  }
}

/** A scan that is pulled. Ends, and gives its cursor back, when it is exhausted or left. */
class StoredScan implements IterableIterator<BackendRecord> {
  private readonly snapshot: LmdbSnapshot
  private readonly database: NativeDatabase
  private readonly options: ScanOptions
  private walker: Walker | undefined
  private isStarted = false

  constructor(snapshot: LmdbSnapshot, database: NativeDatabase, options: ScanOptions) {
    this.snapshot = snapshot
    this.database = database
    this.options = options
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<BackendRecord> {
    let keySizeBytes: number
    if (!this.isStarted) {
      this.isStarted = true
      this.walker = this.snapshot.takeWalker(this.database)
      keySizeBytes = this.snapshot.begin(this.walker, this.options)
    } else if (this.walker !== undefined) {
      keySizeBytes = nativeLmdb.iterate(this.walker.cursor.address)
    } else return { done: true, value: undefined }
    if (keySizeBytes > 0) {
      return { done: false, value: this.snapshot.recordAt(this.walker, keySizeBytes) }
    }
    this.return()
    checkEnd(keySizeBytes)
    return { done: true, value: undefined }
  }

  return(): IteratorResult<BackendRecord> {
    this.isStarted = true
    if (this.walker !== undefined) this.snapshot.giveBack(this.database, this.walker)
    this.walker = undefined
    return { done: true, value: undefined }
  }
}

function checkEnd(result: number): void {
  if (result === 0 || valueSizeOf(result, smallestKey) === undefined) return
  throw new StorageFault(`the database cannot be walked: ${describeLmdbCode(result)}`, {
    path: 'lmdb',
  })
}

/** Memory that is copied from, also as words: a few dozen of these are copied faster than native code is called. */
interface CopySource {
  readonly bytes: Uint8Array
  readonly words: Uint32Array | undefined
}

function copySourceOf(bytes: Uint8Array): CopySource {
  const isAligned = bytes.byteOffset % 4 === 0
  const wordCount = Math.floor(bytes.length / 4)
  return {
    bytes,
    words: isAligned ? new Uint32Array(bytes.buffer, bytes.byteOffset, wordCount) : undefined,
  }
}

/** Copies cut out of larger memory: a small array of one's own costs ten times its copying. */
class CopySlab {
  private buffer = new ArrayBuffer(slabSizeBytes)
  private words = new Uint32Array(this.buffer)
  /** A multiple of 4. */
  private usedSizeBytes = 0

  /**
   * A copy of `sizeBytes` from `start` on, which is a multiple of 4; of these the part in `[from, to)`.
   */
  copy(source: CopySource, { start, sizeBytes, from = 0, to = sizeBytes }: CopyBounds): Uint8Array {
    const { bytes, words } = source
    if (words === undefined || sizeBytes > slabShareSizeBytesMax) {
      return new Uint8Array(bytes.buffer, bytes.byteOffset + start + from, to - from).slice()
    }
    const at = this.reserve(sizeBytes)
    const { words: target } = this
    const wordCount = (sizeBytes + 3) >> 2
    const sourceWord = start >> 2
    const targetWord = at >> 2
    for (let word = 0; word < wordCount; word++) {
      target[targetWord + word] = words[sourceWord + word] ?? 0
    }
    return new Uint8Array(this.buffer, at + from, to - from)
  }

  /** A copy of the bytes in `[start, end)`, wherever they begin. */
  copyPart(source: Uint8Array, start: number, end: number): Uint8Array {
    const sizeBytes = end - start
    const part = new Uint8Array(source.buffer, source.byteOffset + start, sizeBytes)
    if (sizeBytes > slabShareSizeBytesMax) return part.slice()
    const at = this.reserve(sizeBytes)
    const copy = new Uint8Array(this.buffer, at, sizeBytes)
    if (sizeBytes > loopedSizeBytesMax) copy.set(part)
    else for (let offset = 0; offset < sizeBytes; offset++) copy[offset] = part[offset] ?? 0
    return copy
  }

  /** @returns where room for so many bytes begins, at a multiple of 4 */
  private reserve(sizeBytes: number): number {
    if (this.usedSizeBytes + sizeBytes > slabSizeBytes) {
      this.buffer = new ArrayBuffer(slabSizeBytes)
      this.words = new Uint32Array(this.buffer)
      this.usedSizeBytes = 0
    }
    const at = this.usedSizeBytes
    this.usedSizeBytes += (sizeBytes + 3) & ~3
    return at
  }
}

interface CopyBounds {
  readonly start: number
  readonly sizeBytes: number
  readonly from?: number
  readonly to?: number
}

const slabSizeBytes = 65_536
/** So that little of a slab is ever left unused, and larger ones are copied natively. */
const slabShareSizeBytesMax = 1_024
/** Below it a loop copies faster than native code is called. */
const loopedSizeBytesMax = 48
const valueSource = copySourceOf(valueBuffer)
