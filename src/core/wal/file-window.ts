import { StorageFault } from '../errors/storage-fault.ts'
import type { FileHandle } from '../io/file-system.ts'

/** Large enough that a start reads at the speed of the disk. */
const windowSizeBytes = 4 * 1024 * 1024
const zeroBlock = Buffer.alloc(64 * 1024)

/** A piece of a file in memory that moves along with the reader. */
export class FileWindow {
  readonly sizeBytes: number
  private readonly handle: FileHandle
  /** Where in the file {@link bytes} begins. */
  start = 0
  /** What is in memory; replaced when the window moves, so views of it stay good. */
  bytes: Uint8Array = new Uint8Array(0)

  constructor(handle: FileHandle, sizeBytes: number) {
    this.handle = handle
    this.sizeBytes = sizeBytes
  }

  /** The bytes asked for if they are in memory: most frames cost no wait. A view. */
  find(offsetBytes: number, sizeBytes: number): Uint8Array | undefined {
    const at = offsetBytes - this.start
    if (at < 0 || at + sizeBytes > this.bytes.length) return undefined
    return this.bytes.subarray(at, at + sizeBytes)
  }

  /** The bytes asked for, which must lie within the file; moves the window where it must. */
  async load(offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    const present = this.find(offsetBytes, sizeBytes)
    if (present !== undefined) return present
    const restBytes = Math.max(0, this.sizeBytes - offsetBytes)
    this.bytes = await this.handle.read(
      offsetBytes,
      Math.max(sizeBytes, Math.min(windowSizeBytes, restBytes)),
    )
    this.start = offsetBytes
    const found = this.find(offsetBytes, sizeBytes)
    if (found !== undefined) return found
    throw new StorageFault(`${this.handle.path} is shorter than its size says`, {
      path: this.handle.path,
      offsetBytes,
    })
  }

  /** Whether [start, end) holds nothing but zeros; the file's end counts as zeros. */
  async isZero(start: number, end: number): Promise<boolean> {
    const last = Math.min(end, this.sizeBytes)
    for (let at = start; at < last; at += windowSizeBytes) {
      if (!isAllZero(await this.load(at, Math.min(windowSizeBytes, last - at)))) return false
    }
    return true
  }
}

/** Compared natively: a start looks at every allocated byte behind the end of the log. */
export function isAllZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += zeroBlock.length) {
    const end = Math.min(bytes.length, at + zeroBlock.length)
    if (zeroBlock.compare(bytes, at, end, 0, end - at) !== 0) return false
  }
  return true
}
