import { dirname } from 'node:path'
import type { DirectWriter, FileHandle, FileSystem } from '../../src/core/io/file-system.ts'

/** A system error with its code, as the real file system reports it. */
export class MemorySystemError extends Error {
  readonly code: string

  constructor(code: string, path: string) {
    super(`${code}: ${path}`)
    this.code = code
  }
}

/** One call that reached the file system, in order. */
export interface FileOperation {
  readonly kind: 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'syncDirectory'
  readonly path: string
  readonly sizeBytes: number
}

/**
 * Files in memory, everything durable at once: for tests of formats and orders of calls. What a crash takes is the
 * business of the simulated disk.
 */
export class MemoryFileSystem implements FileSystem {
  readonly files = new Map<string, Uint8Array>()
  readonly directories = new Set<string>(['/'])
  readonly operations: FileOperation[] = []
  openHandleCount = 0
  /** What files say of writing at once. */
  isBrief = false
  /** Called before each operation; may throw to make it fail. */
  onOperation: ((operation: FileOperation) => void) | undefined

  /** The same files in a file system of its own. */
  clone(): MemoryFileSystem {
    const copy = new MemoryFileSystem()
    for (const [path, bytes] of this.files) copy.files.set(path, bytes.slice())
    for (const path of this.directories) copy.directories.add(path)
    return copy
  }

  note(operation: FileOperation): void {
    this.onOperation?.(operation)
    this.operations.push(operation)
  }

  async open(path: string, options: { readonly create: boolean }): Promise<FileHandle> {
    await Promise.resolve()
    if (!this.files.has(path)) {
      if (!options.create) throw new MemorySystemError('ENOENT', path)
      this.files.set(path, new Uint8Array(0))
    }
    return new MemoryFileHandle(this, path)
  }

  async openForReading(path: string): Promise<FileHandle> {
    return this.open(path, { create: false })
  }

  async list(directory: string): Promise<readonly string[]> {
    await Promise.resolve()
    if (!this.directories.has(directory)) throw new MemorySystemError('ENOENT', directory)
    const names: string[] = []
    for (const path of [...this.files.keys(), ...this.directories]) {
      if (path !== directory && dirname(path) === directory)
        names.push(path.slice(directory.length + 1))
    }
    return names.sort()
  }

  async findSize(path: string): Promise<number | undefined> {
    await Promise.resolve()
    return this.files.get(path)?.length
  }

  async makeDirectory(path: string): Promise<void> {
    await Promise.resolve()
    for (let part = path; part !== '/'; part = dirname(part)) this.directories.add(part)
  }

  async rename(source: string, target: string): Promise<void> {
    await Promise.resolve()
    this.note({ kind: 'rename', path: target, sizeBytes: 0 })
    const bytes = this.files.get(source)
    if (bytes === undefined) throw new MemorySystemError('ENOENT', source)
    this.files.delete(source)
    this.files.set(target, bytes)
    for (const handle of this.handles) if (handle.path === source) handle.path = target
  }

  async remove(path: string): Promise<void> {
    await Promise.resolve()
    this.note({ kind: 'remove', path, sizeBytes: 0 })
    this.files.delete(path)
  }

  async removeTree(path: string): Promise<void> {
    await Promise.resolve()
    for (const file of this.files.keys()) if (file.startsWith(`${path}/`)) this.files.delete(file)
    for (const directory of this.directories) {
      if (directory === path || directory.startsWith(`${path}/`)) this.directories.delete(directory)
    }
  }

  async syncDirectory(path: string): Promise<void> {
    await Promise.resolve()
    this.note({ kind: 'syncDirectory', path, sizeBytes: 0 })
  }

  readonly handles = new Set<MemoryFileHandle>()
}

class MemoryFileHandle implements FileHandle {
  path: string
  private readonly system: MemoryFileSystem

  constructor(system: MemoryFileSystem, path: string) {
    this.system = system
    this.path = path
    system.handles.add(this)
    system.openHandleCount++
  }

  async read(offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    await Promise.resolve()
    return this.content().slice(offsetBytes, offsetBytes + sizeBytes)
  }

  get direct(): DirectWriter {
    return {
      isBrief: () => this.system.isBrief,
      write: (offsetBytes, chunk) => {
        this.writeNow(offsetBytes, [chunk])
      },
      sync: () => {
        this.system.note({ kind: 'sync', path: this.path, sizeBytes: 0 })
      },
    }
  }

  async write(offsetBytes: number, chunks: readonly Uint8Array[]): Promise<void> {
    await Promise.resolve()
    this.writeNow(offsetBytes, chunks)
  }

  private writeNow(offsetBytes: number, chunks: readonly Uint8Array[]): void {
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.system.note({ kind: 'write', path: this.path, sizeBytes })
    const content = this.content()
    const grown =
      content.length >= offsetBytes + sizeBytes ? content : new Uint8Array(offsetBytes + sizeBytes)
    if (grown !== content) grown.set(content)
    let position = offsetBytes
    for (const chunk of chunks) {
      grown.set(chunk, position)
      position += chunk.length
    }
    this.system.files.set(this.path, grown)
  }

  async sync(): Promise<void> {
    await Promise.resolve()
    this.system.note({ kind: 'sync', path: this.path, sizeBytes: 0 })
  }

  async truncate(sizeBytes: number): Promise<void> {
    await Promise.resolve()
    this.system.note({ kind: 'truncate', path: this.path, sizeBytes })
    const content = new Uint8Array(sizeBytes)
    content.set(this.content().subarray(0, sizeBytes))
    this.system.files.set(this.path, content)
  }

  async close(): Promise<void> {
    await Promise.resolve()
    if (this.system.handles.delete(this)) this.system.openHandleCount--
  }

  private content(): Uint8Array {
    const content = this.system.files.get(this.path)
    if (content === undefined) throw new MemorySystemError('EBADF', this.path)
    return content
  }
}
