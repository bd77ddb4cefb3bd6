import {
  close,
  constants,
  fdatasync,
  fdatasyncSync,
  fsync,
  ftruncate,
  open,
  read,
  write,
  writeSync,
} from 'node:fs'
import * as promises from 'node:fs/promises'
import type { DirectWriter, FileHandle, FileSystem } from './file-system.ts'
import { SyncPace } from './sync-pace.ts'

/**
 * The real disk.
 *
 * Everything that may wait for the disk runs in libuv's thread pool. Short writes do not: the system copies them into its
 * page cache within microseconds, and handing them to a thread and back would cost each put more than the copy. The pool has four threads unless
 * `UV_THREADPOOL_SIZE` says otherwise before the process starts its first I/O, and it is shared with LMDB's writer, name
 * look-ups, compression and password hashing: a node should be started with at least 8, or a log sync may wait behind one
 * of those. Plain file descriptors are used instead of `FileHandle` objects of `node:fs/promises`, because those cost more
 * per call and close themselves when collected.
 */
export const nodeFileSystem: FileSystem = {
  open: (path, options) => openFile(path, options.create ? creatingFlags : 'r+'),
  openForReading: (path) => openFile(path, 'r'),
  list: async (directory) => (await promises.readdir(directory)).sort(),
  findSize: async (path) => {
    try {
      return (await promises.stat(path)).size
    } catch (error) {
      if (isAbsence(error)) return undefined
      throw error
    }
  },
  makeDirectory: async (path) => {
    await promises.mkdir(path, { recursive: true, mode: 0o700 })
  },
  rename: (source, target) => promises.rename(source, target),
  remove: (path) => promises.rm(path, { force: true }),
  removeTree: (path) => promises.rm(path, { force: true, recursive: true }),
  syncDirectory,
}

/** All files of the process share one thread that can be held up, and mostly one disk. */
const syncPace = new SyncPace({
  monotonicMs: () => performance.now(),
  idleMs: () => performance.eventLoopUtilization().idle,
})

/** Writes up to this size are made at once; one of 64 KiB takes about 15 µs. */
const directWriteSizeBytesMax = 65_536

// None of the letter codes of `fs.open` creates an absent file and leaves a present one as it is.
const creatingFlags = constants.O_RDWR | constants.O_CREAT

async function openFile(path: string, flags: string | number): Promise<FileHandle> {
  return new DescriptorHandle(path, await openDescriptor(path, flags))
}

function openDescriptor(path: string, flags: string | number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, 0o600, (error, descriptor) => {
      if (error === null) resolve(descriptor)
      else reject(error)
    })
  })
}

/** One descriptor. Reads and writes are positional and continue after short counts, which the system may return. */
class DescriptorHandle implements FileHandle {
  readonly path: string
  readonly direct: DirectWriter
  private readonly descriptor: number

  constructor(path: string, descriptor: number) {
    this.path = path
    this.descriptor = descriptor
    this.direct = new DescriptorWriter(descriptor)
  }

  async read(offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    const target = new Uint8Array(sizeBytes)
    let filledBytes = 0
    while (filledBytes < sizeBytes) {
      const count = await readOnce(
        this.descriptor,
        target.subarray(filledBytes),
        offsetBytes + filledBytes,
      )
      if (count === 0) break
      filledBytes += count
    }
    return target.subarray(0, filledBytes)
  }

  async write(offsetBytes: number, chunks: readonly Uint8Array[]): Promise<void> {
    let position = offsetBytes
    for (const chunk of chunks) {
      let writtenBytes = 0
      while (writtenBytes < chunk.length) {
        const rest = chunk.subarray(writtenBytes)
        const count =
          rest.length <= directWriteSizeBytesMax
            ? writeSync(this.descriptor, rest, 0, rest.length, position)
            : await writeOnce(this.descriptor, rest, position)
        writtenBytes += count
        position += count
      }
    }
  }

  async sync(): Promise<void> {
    const startMs = performance.now()
    await settled((done) => {
      fdatasync(this.descriptor, done)
    })
    syncPace.note({ tookMs: performance.now() - startMs, hasBlocked: false })
  }

  truncate(sizeBytes: number): Promise<void> {
    return settled((done) => {
      ftruncate(this.descriptor, sizeBytes, done)
    })
  }

  close(): Promise<void> {
    return settled((done) => {
      close(this.descriptor, done)
    })
  }
}

/** Writes to one descriptor at once. */
class DescriptorWriter implements DirectWriter {
  private readonly descriptor: number

  constructor(descriptor: number) {
    this.descriptor = descriptor
  }

  isBrief(): boolean {
    return syncPace.mayBlock()
  }

  write(offsetBytes: number, chunk: Uint8Array): void {
    let writtenBytes = 0
    while (writtenBytes < chunk.length) {
      const restBytes = chunk.length - writtenBytes
      const position = offsetBytes + writtenBytes
      writtenBytes += writeSync(this.descriptor, chunk, writtenBytes, restBytes, position)
    }
  }

  sync(): void {
    const startMs = performance.now()
    fdatasyncSync(this.descriptor)
    syncPace.note({ tookMs: performance.now() - startMs, hasBlocked: true })
  }
}

function readOnce(descriptor: number, target: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, target, 0, target.length, position, (error, count) => {
      if (error === null) resolve(count)
      else reject(error)
    })
  })
}

function writeOnce(descriptor: number, chunk: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, chunk, 0, chunk.length, position, (error, count) => {
      if (error === null) resolve(count)
      else reject(error)
    })
  })
}

function settled(
  run: (done: (error: NodeJS.ErrnoException | null) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    run((error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}

/** Windows has no handle on a directory to sync; there the file system's journal orders names by itself. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const descriptor = await openDescriptor(path, 'r')
  try {
    await settled((done) => {
      fsync(descriptor, done)
    })
  } finally {
    await settled((done) => {
      close(descriptor, done)
    })
  }
}

function isAbsence(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'ENOTDIR')
  )
}
