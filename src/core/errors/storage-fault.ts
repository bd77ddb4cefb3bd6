/** Damaged or unwritable data. The node stops serving and names the file; nothing is retried. */
export class StorageFault extends Error {
  override readonly name = 'StorageFault'
  /** File or directory concerned. */
  readonly path: string
  /** Position in the file in bytes, where known. */
  readonly offsetBytes: number | undefined

  constructor(message: string, options: { path: string; offsetBytes?: number; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.path = options.path
    this.offsetBytes = options.offsetBytes
  }
}
