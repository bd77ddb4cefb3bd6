import type { DirectWriter, FileHandle, FileSystem } from '../io/file-system.ts'

/**
 * Zeros are laid ahead of the writer in steps of this size. Node has no `fallocate`, and a file that grows with every
 * append makes each sync write the file's size as well; a whole segment at once would cost a fresh node 64 MB of writing.
 */
export const allocationStepBytes = 2 * 1024 * 1024

const zeroPiece = new Uint8Array(256 * 1024)

/** The end of the log: one open segment, appended to at `offsetBytes`, with zeros allocated ahead. */
export class SegmentFile {
  readonly handle: FileHandle
  readonly path: string
  /** Where the next frame goes. */
  offsetBytes: number
  /** Up to here the file holds data or zeros. Nothing but the running allocation writes beyond it. */
  private allocatedBytes: number
  private readonly sizeBytesMax: number
  private allocation: Promise<void> | undefined

  constructor(
    handle: FileHandle,
    state: {
      readonly path: string
      readonly offsetBytes: number
      readonly allocatedBytes: number
      readonly sizeBytesMax: number
    },
  ) {
    this.handle = handle
    this.path = state.path
    this.offsetBytes = state.offsetBytes
    this.allocatedBytes = state.allocatedBytes
    this.sizeBytesMax = state.sizeBytesMax
  }

  /** Makes or empties a file and lays its first zeros, durably. */
  static async create(
    fileSystem: FileSystem,
    options: { readonly path: string; readonly sizeBytesMax: number },
  ): Promise<SegmentFile> {
    const handle = await fileSystem.open(options.path, { create: true })
    const file = new SegmentFile(handle, { ...options, offsetBytes: 0, allocatedBytes: 0 })
    try {
      await handle.truncate(0)
      await file.allocate()
      await handle.sync()
    } catch (error) {
      await handle.close()
      throw error
    }
    return file
  }

  /** Appends; resolves when the system has taken the bytes. One call at a time. */
  async append(bytes: Uint8Array): Promise<void> {
    // Zeros on their way must not land on what is written now.
    if (this.offsetBytes + bytes.length > this.allocatedBytes) await this.allocation
    await this.handle.write(this.offsetBytes, [bytes])
    this.offsetBytes += bytes.length
    this.allocatedBytes = Math.max(this.allocatedBytes, this.offsetBytes)
  }

  /** For an append of at most so many bytes, if it can be made at once, briefly, and leaves the segment below its full size. */
  findDirectWriter(sizeBytes: number): DirectWriter | undefined {
    const { direct } = this.handle
    const endBytes = this.offsetBytes + sizeBytes
    // Beyond the zeros laid, others may be on their way.
    if (endBytes > this.allocatedBytes || endBytes >= this.sizeBytesMax) return undefined
    return direct?.isBrief() === true ? direct : undefined
  }

  /** As {@link append}, at once. @param writer  as found for at least this size */
  appendDirect(writer: DirectWriter, bytes: Uint8Array): void {
    writer.write(this.offsetBytes, bytes)
    this.offsetBytes += bytes.length
  }

  /** Lays further zeros beside the following appends once half of a step is left. A failure shows at the next append. */
  allocateAhead(): void {
    const isNear = this.allocatedBytes - this.offsetBytes < allocationStepBytes / 2
    if (this.allocation !== undefined || !isNear || this.allocatedBytes >= this.sizeBytesMax) return
    this.allocation = this.allocate()
    // The rejection is met by whoever awaits the allocation: append, settle.
    this.allocation.catch(() => undefined)
  }

  /** The same open file under the name it has now. */
  renamedTo(path: string): SegmentFile {
    const { offsetBytes, allocatedBytes, sizeBytesMax } = this
    return new SegmentFile(this.handle, { path, offsetBytes, allocatedBytes, sizeBytesMax })
  }

  /** Waits for zeros on their way. */
  async settle(): Promise<void> {
    await this.allocation
  }

  private async allocate(): Promise<void> {
    const start = this.allocatedBytes
    const end = Math.min(this.sizeBytesMax, start + allocationStepBytes)
    for (let at = start; at < end; at += zeroPiece.length) {
      await this.handle.write(at, [zeroPiece.subarray(0, Math.min(zeroPiece.length, end - at))])
    }
    this.allocatedBytes = Math.max(this.allocatedBytes, end)
    this.allocation = undefined
  }
}
