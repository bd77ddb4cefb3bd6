/** The file system of one life of a node, on its simulated disk; every effect is a place to fail or to die. */
import type { FileHandle, FileSystem } from '../../../src/core/io/file-system.ts'
import type { Random } from '../../../src/core/base/random.ts'
import { pathParts, SimDirectory, SimFile, type SimDisk, type SimNode } from './sim-disk.ts'
import type { SimProcess, SimScheduler } from './sim-scheduler.ts'

/** Kinds of effects on the disk. */
export type DiskEffect = 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'names' | 'syncDirectory'

/** What befalls one effect. */
export type DiskOutcome = 'normal' | 'dieBefore' | 'dieInTheMiddle' | 'dieAfter' | 'fail'

/** Decided by the fault plan, asked once per effect. */
export interface DiskFaults {
  decide(process: SimProcess, effect: DiskEffect): DiskOutcome
  /** Ends the process now; the disk's crash rules are applied by whoever owns the node. */
  kill(process: SimProcess): void
}

/** Latencies in virtual microseconds. */
const accessLatencyUs = { least: 10, spread: 60 }
const syncLatencyUs = { least: 120, spread: 900 }

/** An error as the operating system's, with its code. */
export class SimSystemError extends Error {
  override readonly name = 'SimSystemError'
  readonly code: string

  constructor(code: string, operation: string, path: string) {
    super(`${code}: ${operation} '${path}' (simulated)`)
    this.code = code
  }
}

/** What a file system of one life works with. */
export interface SimFileSystemParts {
  readonly disk: SimDisk
  readonly scheduler: SimScheduler
  readonly process: SimProcess
  readonly random: Random
  readonly faults: DiskFaults
  /** Called after each effect that changed the durable state of a file or directory. */
  readonly onDurableChange: (path: string) => void
}

/** {@link FileSystem} on a {@link SimDisk}. */
export class SimFileSystem implements FileSystem {
  /** Open handles; none may be left after a graceful stop. */
  readonly handles = new Set<SimFileHandle>()
  readonly parts: SimFileSystemParts

  constructor(parts: SimFileSystemParts) {
    this.parts = parts
  }

  open(path: string, options: { readonly create: boolean }): Promise<FileHandle> {
    return this.perform('open', path, () => {
      let node = this.parts.disk.find(path)
      if (node === undefined && options.create) {
        node = new SimFile()
        this.parts.disk.changeNames([{ ...this.parentOf(path), node }])
      }
      return this.handleOf(path, node)
    })
  }

  openForReading(path: string): Promise<FileHandle> {
    return this.perform('open', path, () => this.handleOf(path, this.parts.disk.find(path)))
  }

  list(directory: string): Promise<readonly string[]> {
    return this.perform('read', directory, () =>
      [...this.directoryAt(directory).entries.keys()].sort(),
    )
  }

  findSize(path: string): Promise<number | undefined> {
    return this.perform('read', path, () => {
      const node = this.parts.disk.find(path)
      return node?.kind === 'file' ? node.sizeBytes : node === undefined ? undefined : 0
    })
  }

  makeDirectory(path: string): Promise<void> {
    return this.perform('names', path, () => {
      let directory = this.parts.disk.root
      for (const name of pathParts(path)) {
        let next = directory.entries.get(name)
        if (next === undefined) {
          next = new SimDirectory()
          this.parts.disk.changeNames([{ directory, name, node: next }])
        }
        if (next.kind !== 'directory') throw new SimSystemError('ENOTDIR', 'mkdir', path)
        directory = next
      }
    })
  }

  rename(source: string, target: string): Promise<void> {
    return this.perform('names', source, () => {
      const node = this.parts.disk.find(source)
      if (node === undefined) throw new SimSystemError('ENOENT', 'rename', source)
      const replaced = this.parts.disk.find(target)
      if (
        replaced?.kind === 'directory' &&
        (node.kind !== 'directory' || replaced.entries.size > 0)
      ) {
        throw new SimSystemError('ENOTEMPTY', 'rename', target)
      }
      const from = this.parentOf(source)
      const to = this.parentOf(target)
      this.parts.disk.changeNames([
        { directory: to.directory, name: to.name, node },
        { directory: from.directory, name: from.name, node: undefined },
      ])
    })
  }

  remove(path: string): Promise<void> {
    return this.perform('names', path, () => {
      const node = this.parts.disk.find(path)
      if (node === undefined) return
      if (node.kind === 'directory') throw new SimSystemError('EISDIR', 'unlink', path)
      this.parts.disk.changeNames([{ ...this.parentOf(path), node: undefined }])
    })
  }

  removeTree(path: string): Promise<void> {
    return this.perform('names', path, () => {
      if (this.parts.disk.find(path) === undefined) return
      this.parts.disk.changeNames([{ ...this.parentOf(path), node: undefined }])
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.perform('syncDirectory', path, () => {
      this.parts.disk.syncNames(this.directoryAt(path))
      this.parts.onDurableChange(path)
    })
  }

  /** Puts a directory in the place of another in one step, within an effect. */
  moveTree(source: string, target: string): void {
    const node = this.directoryAt(source)
    this.parts.disk.changeNames([
      { ...this.parentOf(target), node },
      { ...this.parentOf(source), node: undefined },
    ])
  }

  /**
   * Runs one effect in an event of its own after the disk's latency; a process that died never hears of the end.
   *
   * @param middle  does a part of the effect, where dying in the middle differs from dying before
   */
  perform<T>(effect: DiskEffect, path: string, run: () => T, middle?: () => void): Promise<T> {
    const { process, scheduler, faults } = this.parts
    return new Promise((resolve, reject) => {
      if (!process.isAlive) return
      const describe = (): string => path
      const fall = (during: () => void): void => {
        during()
        faults.kill(process)
      }
      scheduler.schedule(
        this.latencyUs(effect),
        { kind: `disk ${effect}`, process, describe },
        () => {
          const outcome = faults.decide(process, effect)
          if (outcome === 'dieBefore') {
            fall(() => undefined)
            return
          }
          if (outcome === 'dieInTheMiddle') {
            fall(middle ?? (() => undefined))
            return
          }
          try {
            if (outcome === 'fail') throw new SimSystemError('EIO', effect, path)
            const result = run()
            if (outcome === 'dieAfter') fall(() => undefined)
            else resolve(result)
          } catch (failure) {
            reject(failure instanceof Error ? failure : new Error(String(failure)))
          }
        },
      )
    })
  }

  /** The directory at a path. @throws SimSystemError ENOENT, ENOTDIR */
  directoryAt(path: string): SimDirectory {
    const node = this.parts.disk.find(path)
    if (node === undefined) throw new SimSystemError('ENOENT', 'opendir', path)
    if (node.kind !== 'directory') throw new SimSystemError('ENOTDIR', 'opendir', path)
    return node
  }

  private latencyUs(effect: DiskEffect): number {
    const range = effect === 'sync' || effect === 'syncDirectory' ? syncLatencyUs : accessLatencyUs
    return range.least + this.parts.random.below(range.spread)
  }

  private handleOf(path: string, node: SimNode | undefined): SimFileHandle {
    if (node === undefined) throw new SimSystemError('ENOENT', 'open', path)
    if (node.kind === 'directory') throw new SimSystemError('EISDIR', 'open', path)
    const handle = new SimFileHandle(this, path, node)
    this.handles.add(handle)
    return handle
  }

  private parentOf(path: string): { readonly directory: SimDirectory; readonly name: string } {
    const parts = pathParts(path)
    const name = parts.at(-1)
    if (name === undefined) throw new SimSystemError('EINVAL', 'open', path)
    return { directory: this.directoryAt(parts.slice(0, -1).join('/')), name }
  }
}

/** One open file of one life. */
export class SimFileHandle implements FileHandle {
  readonly path: string
  private readonly system: SimFileSystem
  private readonly file: SimFile
  private isClosed = false

  constructor(system: SimFileSystem, path: string, file: SimFile) {
    this.system = system
    this.path = path
    this.file = file
  }

  read(offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    return this.perform('read', () => {
      const endBytes = Math.min(offsetBytes + sizeBytes, this.file.sizeBytes)
      return this.file.content.slice(Math.min(offsetBytes, endBytes), endBytes)
    })
  }

  write(offsetBytes: number, chunks: readonly Uint8Array[]): Promise<void> {
    const writeAll = (): void => {
      let position = offsetBytes
      for (const chunk of chunks) {
        this.file.write(position, chunk)
        position += chunk.length
      }
    }
    const writePart = (): void => {
      let position = offsetBytes
      let restBytes = this.system.parts.random.below(
        1 + chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      )
      for (const chunk of chunks) {
        const part = chunk.subarray(0, restBytes)
        if (part.length > 0) this.file.write(position, part)
        position += part.length
        restBytes -= part.length
      }
    }
    return this.perform('write', writeAll, writePart)
  }

  sync(): Promise<void> {
    const { file } = this
    const { process } = this.system.parts
    // Only what was written before the call is covered; later writes to the same sectors wait for the next sync.
    const sizeBytes = file.sizeBytes
    const sectors = [...file.dirtySectors]
    for (const sector of sectors) file.syncingSectors.set(sector, file.sectorBytes(sector))
    file.dirtySectors.clear()
    const persist = (): void => {
      for (const sector of sectors) {
        const bytes = file.syncingSectors.get(sector)
        if (bytes !== undefined) this.persistSector(sector, bytes)
        file.syncingSectors.delete(sector)
      }
      if (file.sizeBytes >= sizeBytes) file.persistSize(sizeBytes)
      this.system.parts.onDurableChange(this.path)
    }
    const persistPart = (): void => {
      const { random } = this.system.parts
      for (const sector of sectors) {
        const bytes = file.syncingSectors.get(sector)
        if (bytes === undefined || random.below(2) === 0) continue
        this.persistSector(sector, bytes)
        file.syncingSectors.delete(sector)
        const endBytes = Math.min((sector + 1) * bytes.length, sizeBytes)
        if (endBytes > file.durableSizeBytes) file.persistSize(endBytes)
      }
    }
    return this.perform('sync', persist, persistPart).catch((failure: unknown) => {
      // The pages are marked clean though they never reached the disk: a second sync will succeed and prove nothing.
      if (process.isAlive) for (const sector of sectors) file.syncingSectors.delete(sector)
      throw failure
    })
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.perform('truncate', () => {
      this.file.truncate(sizeBytes)
    })
  }

  close(): Promise<void> {
    return this.perform('read', () => {
      this.isClosed = true
      this.system.handles.delete(this)
    })
  }

  private persistSector(sector: number, bytes: Uint8Array): void {
    const { file } = this
    if (sector * bytes.length < file.durableSizeBytes) {
      const start = sector * bytes.length
      const isAppend = file.durable
        .subarray(start, start + bytes.length)
        .every((byte, position) => byte === 0 || byte === bytes[position])
      if (!isAppend) file.rewriteCount += 1
    }
    file.persistSector(sector, bytes)
  }

  private perform<T>(effect: DiskEffect, run: () => T, middle?: () => void): Promise<T> {
    return this.system.perform(
      effect,
      this.path,
      () => {
        if (this.isClosed) throw new SimSystemError('EBADF', effect, this.path)
        return run()
      },
      middle,
    )
  }
}
