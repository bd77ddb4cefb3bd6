import { StorageFault } from '../errors/storage-fault.ts'
import type { FileHandle } from '../io/file-system.ts'

/** One read of this size costs little more than one of a page, and pages written together lie together. */
const blockSizeBytes = 65_536
/** 4 MiB. */
const blockCountMax = 64

/** Reads parts of a file through a small cache of blocks, the least recently used of which goes first. */
export class PageCache {
  readonly sizeBytes: number
  private readonly file: FileHandle
  private readonly blocks = new Map<number, Uint8Array>()

  constructor(file: FileHandle, sizeBytes: number) {
    this.file = file
    this.sizeBytes = sizeBytes
  }

  get path(): string {
    return this.file.path
  }

  /**
   * The bytes at a place. They are shared: never write to them.
   *
   * @throws StorageFault when the file ends before them
   */
  async read(offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    if (offsetBytes + sizeBytes > this.sizeBytes) throw this.tooShort(offsetBytes)
    const number = Math.floor(offsetBytes / blockSizeBytes)
    const start = offsetBytes - number * blockSizeBytes
    let bytes: Uint8Array
    if (start + sizeBytes > blockSizeBytes) bytes = await this.file.read(offsetBytes, sizeBytes)
    else bytes = (await this.block(number)).subarray(start, start + sizeBytes)
    if (bytes.length < sizeBytes) throw this.tooShort(offsetBytes)
    return bytes
  }

  private async block(number: number): Promise<Uint8Array> {
    let block = this.blocks.get(number)
    if (block === undefined) {
      block = await this.file.read(number * blockSizeBytes, blockSizeBytes)
      for (const oldest of this.blocks.keys()) {
        if (this.blocks.size < blockCountMax) break
        this.blocks.delete(oldest)
      }
    } else this.blocks.delete(number)
    this.blocks.set(number, block)
    return block
  }

  private tooShort(offsetBytes: number): StorageFault {
    return new StorageFault(`${this.path}: the database file is cut short`, {
      path: this.path,
      offsetBytes,
    })
  }
}
