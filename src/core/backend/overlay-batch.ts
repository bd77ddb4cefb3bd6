import { assert } from '../base/assert.ts'
import { emptyBytes, equalBytes } from '../base/bytes.ts'
import type {
  BackendBatch,
  BackendReader,
  BackendRecord,
  BucketName,
  RecordVisitor,
  ScanOptions,
} from './backend.ts'
import { bucketKeySizeBytesMax } from './buckets.ts'
import { nameOfKey } from './key-name.ts'
import { OverlayLayer, removed, scanMerged, visitRecords } from './overlay.ts'

/** A reader that takes the name of a key from whoever has made it already. */
export interface NamedReader extends BackendReader {
  /** As `get`; `name` is that of the key. */
  getNamed(bucket: BucketName, key: Uint8Array, name: string): Uint8Array | undefined
}

/** A batch as a layer of its own above the store; the store takes the layer over when the batch is committed. */
export class OverlayBatch implements BackendBatch {
  readonly layer = new OverlayLayer()
  private readonly below: NamedReader
  private isOpen = true
  /** The key that was read last, which is often the one that is written next. */
  private readKey: Uint8Array = emptyBytes
  private readName = ''

  constructor(below: NamedReader) {
    this.below = below
  }

  get changeCount(): number {
    return this.layer.changeCount
  }

  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    const name = nameOfKey(key)
    this.readKey = key
    this.readName = name
    const value = this.layer.find(bucket, name)
    if (value === undefined) return this.below.getNamed(bucket, key, name)
    return value === removed ? undefined : value
  }

  scan(bucket: BucketName, options: ScanOptions): Iterable<BackendRecord> {
    return scanMerged([this.layer], bucket, options, this.below.scan(bucket, options))
  }

  visit(bucket: BucketName, options: ScanOptions, visitor: RecordVisitor): void {
    if (this.layer.mayHaveWithin(bucket, options)) visitRecords(this.scan(bucket, options), visitor)
    else this.below.visit(bucket, options, visitor)
  }

  put(bucket: BucketName, key: Uint8Array, value: Uint8Array): void {
    this.set(bucket, key, value)
  }

  remove(bucket: BucketName, key: Uint8Array): void {
    this.set(bucket, key, undefined)
  }

  /** No change is taken from now on. */
  close(): void {
    this.isOpen = false
  }

  private set(bucket: BucketName, key: Uint8Array, value: Uint8Array | undefined): void {
    assert(this.isOpen, 'a batch takes changes only until it is committed')
    assert(
      key.length > 0 && key.length <= bucketKeySizeBytesMax,
      'a bucket key has at least one byte and fits the store',
    )
    if (equalBytes(key, this.readKey)) this.layer.set(bucket, { key, value, name: this.readName })
    else this.layer.set(bucket, { key, value })
  }
}
