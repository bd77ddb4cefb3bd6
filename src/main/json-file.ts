/**
 * Small JSON files of the app: written as a whole under another name, made durable, then renamed, so that a crash leaves
 * the old one or the new one. A file that cannot be read is moved aside and reported, never overwritten.
 */

import { mkdirSync, readFileSync, renameSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Logger } from '../core/base/logger.ts'
import type { RequestSchema } from './ipc/ipc-router.ts'

/** Only the user may read what the app stores. */
const fileMode = 0o600

export class JsonFile<Content> {
  private readonly path: string
  private readonly schema: RequestSchema<Content>
  private readonly logger: Logger
  /** Saves run one after the other: two at once could rename in the wrong order. */
  private lastSave: Promise<void> = Promise.resolve()

  constructor(path: string, schema: RequestSchema<Content>, logger: Logger) {
    this.path = path
    this.schema = schema
    this.logger = logger
  }

  /** What is stored, or undefined when there is nothing or nothing that can be read. */
  load(): Content | undefined {
    let text: string
    try {
      text = readFileSync(this.path, 'utf8')
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
    const parsed = this.schema.safeParse(parseJson(text))
    if (parsed.success) return parsed.data
    const asidePath = `${this.path}.broken`
    renameSync(this.path, asidePath)
    this.logger.warn('a broken file was moved aside', {
      path: asidePath,
      reason: parsed.error.message,
    })
    return undefined
  }

  /** Replaces what is stored; resolves when it is durable. */
  save(content: Content): Promise<void> {
    const text = `${JSON.stringify(content, null, 2)}\n`
    const save = this.lastSave.then(() => this.write(text))
    this.lastSave = save.catch((error: unknown) => {
      // The one who saved is told through the promise; the next save must not fail for this one's sake.
      this.logger.error('a file could not be saved', { path: this.path, error: String(error) })
    })
    return save
  }

  /** Resolves after the last save so far, also when that failed. */
  settled(): Promise<void> {
    return this.lastSave
  }

  private async write(text: string): Promise<void> {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 })
    const temporaryPath = `${this.path}.new`
    const file = await open(temporaryPath, 'w', fileMode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporaryPath, this.path)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // Half a file is no content of any shape, which the schema then says.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
