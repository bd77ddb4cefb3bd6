import { join } from 'node:path'
import type { FileSystem } from '../io/file-system.ts'
import { SegmentFile } from './segment-file.ts'

/** Prepares the next segment as `0.tmp` or `1.tmp` while the current one is written, so that a cut need not wait. */
export class SegmentPipeline {
  private readonly fileSystem: FileSystem
  private readonly directory: string
  private readonly sizeBytesMax: number
  private takenCount = 0
  private next: Promise<SegmentFile> | undefined

  constructor(
    fileSystem: FileSystem,
    options: { readonly directory: string; readonly sizeBytesMax: number },
  ) {
    this.fileSystem = fileSystem
    this.directory = options.directory
    this.sizeBytesMax = options.sizeBytesMax
  }

  /** Begins to prepare unless that is done already. A failure shows when the file is taken. */
  prepare(): void {
    if (this.next !== undefined) return
    const path = join(this.directory, `${this.takenCount % 2}.tmp`)
    this.next = SegmentFile.create(this.fileSystem, { path, sizeBytesMax: this.sizeBytesMax })
    // The rejection is met by take and dispose.
    this.next.catch(() => undefined)
  }

  /** Hands over the prepared file; its owner renames it. */
  async take(): Promise<SegmentFile> {
    this.prepare()
    const file = await this.next
    this.next = undefined
    this.takenCount++
    if (file === undefined) throw new TypeError('the pipeline lost its file')
    return file
  }

  /** Closes and removes a file that was prepared for nothing. */
  async dispose(): Promise<void> {
    if (this.next === undefined) return
    // A file that could not be prepared is not needed any more, and nothing of it is left open.
    const file = await this.next.catch(() => undefined)
    this.next = undefined
    if (file === undefined) return
    await file.handle.close()
    await this.fileSystem.remove(file.path)
  }
}
