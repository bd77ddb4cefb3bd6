/**
 * The files that the user chose in a dialog. Only this place knows their paths.
 *
 * A file is written beside its final name and renamed when it is whole, so that a failure or an end half-way leaves what
 * was there before.
 */

import { randomUUID } from 'node:crypto'
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import type {
  BeginSaveReply,
  BeginSaveRequest,
  FileFilter,
  OpenFileReply,
  OpenFileRequest,
  SavedFile,
} from '../../preload/contract/file.ts'
import { HostError } from '../host-error.ts'

/** The system's dialogs. Both answer with a path, or undefined when the user closed them. */
export interface FileDialogs {
  chooseSave(suggestedName: string, filters: readonly FileFilter[]): Promise<string | undefined>
  chooseOpen(filters: readonly FileFilter[]): Promise<string | undefined>
}

interface OpenSave {
  readonly path: string
  readonly partPath: string
  readonly file: FileHandle
  sizeBytes: number
}

/** Files that may be written at once; a page that forgets its own cannot keep more open. */
const openSavesMax = 8
/** Longest name that is suggested; file systems take 255 bytes. */
const nameUnitsMax = 80

export class ChosenFiles {
  private readonly dialogs: FileDialogs
  private readonly saves = new Map<string, OpenSave>()

  constructor(dialogs: FileDialogs) {
    this.dialogs = dialogs
  }

  /**
   * Asks where to write.
   *
   * @throws HostError  `fileFailed` when the place cannot be written
   */
  async beginSave(request: BeginSaveRequest): Promise<BeginSaveReply> {
    if (this.saves.size >= openSavesMax) {
      const oldest = this.saves.keys().next().value
      if (oldest !== undefined) await this.abandonSave(oldest)
    }
    const path = await this.dialogs.chooseSave(plainName(request.suggestedName), request.filters)
    if (path === undefined) return { kind: 'cancelled' }
    const token = randomUUID()
    const partPath = `${path}.${token.slice(0, 8)}.part`
    const file = await told(() => open(partPath, 'wx'))
    this.saves.set(token, { path, partPath, file, sizeBytes: 0 })
    return { kind: 'chosen', token, name: basename(path) }
  }

  /** Writes after what was written before; the caller waits for one part before it sends the next. */
  async append(token: string, bytes: Uint8Array): Promise<void> {
    const save = this.find(token)
    await told(() => save.file.appendFile(bytes))
    save.sizeBytes += bytes.length
  }

  /** Makes the file durable and gives it its name. */
  async finishSave(token: string): Promise<SavedFile> {
    const save = this.find(token)
    this.saves.delete(token)
    try {
      await told(async () => {
        await save.file.sync()
        await save.file.close()
        await rename(save.partPath, save.path)
      })
    } catch (failure) {
      await removePart(save)
      throw failure
    }
    return { name: basename(save.path), sizeBytes: save.sizeBytes }
  }

  /** Gives up a file that was begun. One that is not known was given up before. */
  async abandonSave(token: string): Promise<void> {
    const save = this.saves.get(token)
    if (save === undefined) return
    this.saves.delete(token)
    await removePart(save)
  }

  /**
   * Asks for a file and reads it.
   *
   * @throws HostError  `fileTooLarge`, or `fileFailed` when it cannot be read
   */
  async open(request: OpenFileRequest): Promise<OpenFileReply> {
    const path = await this.dialogs.chooseOpen(request.filters)
    if (path === undefined) return { kind: 'cancelled' }
    const { sizeBytesMax } = request
    const bytes = await told(() => readUpTo(path, sizeBytesMax))
    if (bytes === undefined) {
      const { size } = await told(() => stat(path))
      throw new HostError(
        'fileTooLarge',
        `${basename(path)} has ${String(size)} bytes; at most ${String(sizeBytesMax)} can be taken`,
      )
    }
    return { kind: 'chosen', name: basename(path), bytes }
  }

  private find(token: string): OpenSave {
    const save = this.saves.get(token)
    if (save === undefined) throw new HostError('unknownFile', 'The file is not open any more')
    return save
  }
}

/** The whole file, or undefined when it is larger: also a file that grows while it is read stays within the bound. */
async function readUpTo(path: string, sizeBytesMax: number): Promise<Uint8Array | undefined> {
  const file = await open(path, 'r')
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw new HostError('fileFailed', `${basename(path)} is no file`)
    if (facts.size > sizeBytesMax) return undefined
    const buffer = new Uint8Array(facts.size)
    let at = 0
    while (at < buffer.length) {
      const { bytesRead } = await file.read(buffer, at, buffer.length - at, at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return buffer.subarray(0, at)
  } finally {
    await file.close()
  }
}

async function removePart(save: OpenSave): Promise<void> {
  await told(async () => {
    await save.file.close()
    await rm(save.partPath, { force: true })
  })
}

/** What the system says about a file goes to the user without the folder it is in. */
async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error) || error instanceof HostError) throw error
    throw new HostError('fileFailed', `The file could not be used: ${String(error.code)}`)
  }
}

/** A base name that every file system takes, whatever stood in the key. */
function plainName(suggested: string): string {
  const bare = suggested
    .replaceAll(/[\p{Cc}\p{Cf}\\/:*?"<>|]/gu, '_')
    .replaceAll(/^[.\s]+|[.\s]+$/gu, '')
  return bare.slice(0, nameUnitsMax) || 'value'
}
