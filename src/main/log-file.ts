/** The app's own log: one JSON object a line, in a file that begins anew at a size. Holds no keys, values or secrets. */

import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { LogFields, Logger } from '../core/base/logger.ts'

/** A file of this size is renamed to `.old`; two of them are what a bug report needs at most. */
const logSizeBytesMax = 4_194_304

/** Writes to a file. Lines are few, so each is written at once and survives a crash. */
export class LogFile implements Logger {
  private readonly path: string
  private readonly fixedFields: LogFields

  constructor(path: string, fixedFields: LogFields = {}) {
    this.path = path
    this.fixedFields = fixedFields
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  }

  debug(message: string, fields?: LogFields): void {
    this.write('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.write('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.write('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.write('error', message, fields)
  }

  with(fields: LogFields): Logger {
    return new LogFile(this.path, { ...this.fixedFields, ...fields })
  }

  private write(level: string, message: string, fields: LogFields = {}): void {
    const line = { at: new Date().toISOString(), level, message, ...this.fixedFields, ...fields }
    const text = JSON.stringify(line, (_name, value: unknown) =>
      typeof value === 'bigint' ? value.toString(16) : value,
    )
    this.beginAnewWhenFull()
    appendFileSync(this.path, `${text}\n`, { mode: 0o600 })
  }

  private beginAnewWhenFull(): void {
    const status = statSync(this.path, { throwIfNoEntry: false })
    if (status !== undefined && status.size > logSizeBytesMax) {
      renameSync(this.path, `${this.path}.old`)
    }
  }
}
