/** Log lines as etcd writes them: one JSON object a line, or columns for people. */
import { openSync, writeSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import type { LogFields, Logger } from '../base/logger.ts'
import { RotatingFile, type LogRotation } from './rotating-file.ts'

const levels = ['debug', 'info', 'warn', 'error', 'dpanic', 'panic', 'fatal'] as const

export type LogLevel = (typeof levels)[number]

export interface LogSettings {
  readonly level: LogLevel
  readonly format: 'json' | 'console'
  /** `default`, `stdout`, `stderr` or paths of files. */
  readonly outputs: readonly string[]
  /** A file among them is put aside when it is too large. */
  readonly rotation?: LogRotation | undefined
}

/** Whether the text names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return (levels as readonly string[]).includes(text)
}

/** A logger that also has the level of the last line of a process. */
export interface ProgramLogger extends Logger {
  /** What ends the process; it goes on to do so. */
  fatal(message: string, fields?: LogFields): void
}

type Write = (line: string) => void

/** @throws Error  the system's, when a file cannot be opened */
export function openLog(settings: LogSettings, clock: Clock): ProgramLogger {
  const writes = settings.outputs.map((output) => openOutput(output, settings.rotation, clock))
  const levelMin = levels.indexOf(settings.level)
  const format = settings.format === 'json' ? jsonLine : consoleLine
  const log = (level: LogLevel, message: string, fields: LogFields): void => {
    if (levels.indexOf(level) < levelMin) return
    const line = format({ level, timestamp: timestampOf(clock.wallMs()), message, fields })
    for (const write of writes) write(line)
  }
  const loggerWith = (common: LogFields): ProgramLogger => {
    const at =
      (level: LogLevel) =>
      (message: string, fields?: LogFields): void => {
        log(level, message, fields === undefined ? common : { ...common, ...fields })
      }
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      fatal: at('fatal'),
      with: (fields) => loggerWith({ ...common, ...fields }),
    }
  }
  return loggerWith({})
}

function openOutput(output: string, rotation: LogRotation | undefined, clock: Clock): Write {
  if (output === 'stdout') return (line) => process.stdout.write(line)
  if (output === 'stderr' || output === 'default') return (line) => process.stderr.write(line)
  if (rotation !== undefined) {
    const file = new RotatingFile(output, { rotation, clock, report: tellOfLog })
    return guarded(output, (line) => {
      file.write(line)
    })
  }
  const file = openSync(output, 'a', 0o600)
  return guarded(output, (line) => {
    writeSync(file, line)
  })
}

/** A node goes on without its log, and says so once until lines can be written again. */
function guarded(path: string, write: Write): Write {
  let isFailing = false
  return (line) => {
    try {
      write(line)
      isFailing = false
    } catch (error) {
      if (!isFailing) tellOfLog(`cannot write the log file ${path}`, error)
      isFailing = true
    }
  }
}

function tellOfLog(problem: string, error: unknown): void {
  process.stderr.write(`${problem}: ${error instanceof Error ? error.message : String(error)}\n`)
}

interface Line {
  readonly level: LogLevel
  readonly timestamp: string
  readonly message: string
  readonly fields: LogFields
}

/** Lines of parts that do not say where they come from. */
const defaultCaller = 'quorate/store-node.ts'

function jsonLine({ level, timestamp, message, fields }: Line): string {
  const { caller = defaultCaller, ...others } = fields
  return `${JSON.stringify({ level, ts: timestamp, caller, msg: message, ...others }, plainValue)}\n`
}

function consoleLine({ level, timestamp, message, fields }: Line): string {
  const { caller = defaultCaller, ...others } = fields
  const details = Object.keys(others).length === 0 ? '' : `\t${JSON.stringify(others, plainValue)}`
  return `${timestamp}\t${level}\t${String(caller)}\t${message}${details}\n`
}

/** Values that JSON does not know. Ids are hexadecimal, as etcd prints them. */
function plainValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return BigInt.asUintN(64, value).toString(16)
  if (value instanceof Error) return value.message
  if (value instanceof Map || value instanceof Set) return [...(value as Iterable<unknown>)]
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return value
}

/** `2006-01-02T15:04:05.999999Z0700`: microseconds, of which the clock knows the first three digits, and the zone. */
function timestampOf(wallMs: number): string {
  const date = new Date(wallMs)
  const offsetMinutes = -date.getTimezoneOffset()
  const local = new Date(wallMs + offsetMinutes * 60_000).toISOString().slice(0, -1)
  if (offsetMinutes === 0) return `${local}000Z`
  const sign = offsetMinutes < 0 ? '-' : '+'
  const minutes = Math.abs(offsetMinutes)
  const twoDigits = (value: number): string => String(value).padStart(2, '0')
  return `${local}000${sign}${twoDigits(Math.floor(minutes / 60))}${twoDigits(minutes % 60)}`
}
