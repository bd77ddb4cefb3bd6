/**
 * Files as the log and the snapshot store see them.
 *
 * The seam for the simulated disk: what was written is not durable before `sync`, and a created, renamed or removed
 * name is not durable before `syncDirectory`. Implementations never retry. A failure rejects with the system's error.
 */
export interface FileSystem {
  /** Opens for reading and writing; `create` makes the file when absent, with mode 0600. */
  open(path: string, options: { readonly create: boolean }): Promise<FileHandle>
  /** Opens for reading only. */
  openForReading(path: string): Promise<FileHandle>
  /** Names (not paths) in a directory, sorted; an absent directory rejects with code ENOENT. */
  list(directory: string): Promise<readonly string[]>
  /** Size in bytes, or undefined when there is no such file. */
  findSize(path: string): Promise<number | undefined>
  /** Makes the directory and its parents, mode 0700; an existing one is fine. */
  makeDirectory(path: string): Promise<void>
  rename(source: string, target: string): Promise<void>
  /** Removes a file; an absent one is fine. */
  remove(path: string): Promise<void>
  /** Removes a directory with everything in it; an absent one is fine. */
  removeTree(path: string): Promise<void>
  /** Makes names created, renamed or removed in this directory durable. */
  syncDirectory(path: string): Promise<void>
}

/** One open file. All positions and sizes are in bytes. */
export interface FileHandle {
  readonly path: string
  /** Reads up to `sizeBytes` at `offsetBytes`; shorter only at the end of the file. */
  read(offsetBytes: number, sizeBytes: number): Promise<Uint8Array>
  /** Writes all of the chunks one after the other at `offsetBytes`; resolves when the system has taken them. */
  write(offsetBytes: number, chunks: readonly Uint8Array[]): Promise<void>
  /** Makes everything written so far durable (fdatasync). */
  sync(): Promise<void>
  /** Absent where everything is left to other threads. */
  readonly direct?: DirectWriter
  truncate(sizeBytes: number): Promise<void>
  close(): Promise<void>
}

/** Writes to an open file by holding up the thread, which saves the wake-ups of another one and of this. */
export interface DirectWriter {
  /** Whether a write with its sync promises to be so brief that nothing else is kept waiting by it. */
  isBrief(): boolean
  /** Writes the chunk; the system has taken it on return. Throws the system's error. */
  write(offsetBytes: number, chunk: Uint8Array): void
  /** Makes everything written so far durable. Throws the system's error. */
  sync(): void
}
