/**
 * A log file that is put aside when it has become too large, as etcd's library does it: `etcd.log` becomes
 * `etcd-2006-01-02T15-04-05.000.log`, by the time of the change, and a new `etcd.log` is begun. Of those put aside the old
 * ones are removed and the others compressed, if that is wanted.
 *
 * Lines are written at once and in order, so that the last one before an end is there. No library that rotates files does
 * that.
 */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Clock } from '../base/clock.ts'

/** When a log file is put aside, and what becomes of it. */
export interface LogRotation {
  /** Above this it is put aside. */
  readonly sizeBytesMax: number
  /** Files that were put aside longer ago are removed; 0: none. */
  readonly ageDaysMax: number
  /** So many of them are kept; 0: all. */
  readonly backupCountMax: number
  /** Their names tell the local time, not UTC. */
  readonly isLocalTime: boolean
  readonly isCompressed: boolean
}

const dayMs = 86_400_000
/** When a file could not be put aside, it grows by this much before the next attempt. */
const retryBytes = 1_048_576
const compressedExtension = '.gz'
const timePattern = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})$/
const fileMode = 0o600

/** Told of what went wrong: the writer goes on as well as it can. */
type Report = (problem: string, error: unknown) => void

/** One log file and those that it was before. */
export class RotatingFile {
  private readonly path: string
  private readonly rotation: LogRotation
  private readonly clock: Clock
  private readonly report: Report
  private descriptor: number
  private sizeBytes: number
  private rotateAboveBytes: number
  /** Files are looked through one time after the other. */
  private tidying: Promise<void> = Promise.resolve()

  /** @throws Error  the system's, when the file cannot be opened */
  constructor(
    path: string,
    { rotation, clock, report }: { rotation: LogRotation; clock: Clock; report: Report },
  ) {
    this.path = path
    this.rotation = rotation
    this.clock = clock
    this.report = report
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    this.descriptor = openSync(path, 'a', fileMode)
    this.sizeBytes = fstatSync(this.descriptor).size
    this.rotateAboveBytes = rotation.sizeBytesMax
    this.tidy()
  }

  /** @throws Error  the system's, when the line cannot be written */
  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.sizeBytes > 0 && this.sizeBytes + bytes.length > this.rotateAboveBytes) this.rotate()
    for (let written = 0; written < bytes.length;)
      written += writeSync(this.descriptor, bytes, written)
    this.sizeBytes += bytes.length
  }

  /** Resolves when everything that was put aside has been dealt with. */
  async settled(): Promise<void> {
    await this.tidying
  }

  /** Lines go to the present file until there is a new one, so that none is lost when there is none to be had. */
  private rotate(): void {
    const aside = this.freeName()
    let descriptor: number
    try {
      renameSync(this.path, aside)
    } catch (error) {
      // Somebody may have taken it away, or there was no new one the last time.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.postpone('cannot put the log file aside', error)
        return
      }
    }
    try {
      descriptor = openSync(this.path, 'a', fileMode)
    } catch (error) {
      this.postpone('cannot begin a new log file', error)
      return
    }
    closeSync(this.descriptor)
    this.descriptor = descriptor
    this.sizeBytes = 0
    this.rotateAboveBytes = this.rotation.sizeBytesMax
    this.tidy()
  }

  private postpone(problem: string, error: unknown): void {
    this.rotateAboveBytes = this.sizeBytes + retryBytes
    this.report(problem, error)
  }

  /** Two files may be full within a millisecond. */
  private freeName(): string {
    const [prefix, extension] = this.nameParts()
    for (let wallMs = this.clock.wallMs(); ; wallMs++) {
      const name = `${prefix}${timeText(wallMs, this.rotation.isLocalTime)}${extension}`
      const path = join(dirname(this.path), name)
      if (!existsSync(path) && !existsSync(path + compressedExtension)) return path
    }
  }

  /** What the names of files that were put aside begin and end with. */
  private nameParts(): readonly [prefix: string, extension: string] {
    const extension = extname(this.path)
    return [`${basename(this.path, extension)}-`, extension]
  }

  private tidy(): void {
    const { ageDaysMax, backupCountMax, isCompressed } = this.rotation
    if (ageDaysMax === 0 && backupCountMax === 0 && !isCompressed) return
    this.tidying = this.tidying.then(async () => {
      try {
        await this.removeAndCompress()
      } catch (error) {
        this.report('cannot tidy up old log files', error)
      }
    })
  }

  private async removeAndCompress(): Promise<void> {
    const { ageDaysMax, backupCountMax, isCompressed } = this.rotation
    const oldestMs = this.clock.wallMs() - ageDaysMax * dayMs
    const kept = new Set<number>()
    for (const { path, wallMs } of await this.filesAside()) {
      const isTooMany = backupCountMax > 0 && kept.size === backupCountMax && !kept.has(wallMs)
      if (isTooMany || (ageDaysMax > 0 && wallMs < oldestMs)) {
        await rm(path, { force: true })
        continue
      }
      kept.add(wallMs)
      if (isCompressed && !path.endsWith(compressedExtension)) await compress(path)
    }
  }

  /** The newest first. */
  private async filesAside(): Promise<{ readonly path: string; readonly wallMs: number }[]> {
    const folder = dirname(this.path)
    const [prefix, extension] = this.nameParts()
    const files: { readonly path: string; readonly wallMs: number }[] = []
    for (const name of await readdir(folder)) {
      const plain = name.endsWith(compressedExtension)
        ? name.slice(0, -compressedExtension.length)
        : name
      if (!plain.startsWith(prefix) || !plain.endsWith(extension)) continue
      const text = plain.slice(prefix.length, plain.length - extension.length)
      const wallMs = timeOf(text, this.rotation.isLocalTime)
      if (wallMs !== undefined) files.push({ path: join(folder, name), wallMs })
    }
    return files.sort((left, right) => right.wallMs - left.wallMs)
  }
}

/** The plain file goes when the compressed one is whole. */
async function compress(path: string): Promise<void> {
  const target = path + compressedExtension
  const unfinished = `${target}.tmp`
  await pipeline(
    createReadStream(path),
    createGzip(),
    createWriteStream(unfinished, { mode: fileMode, flush: true }),
  )
  await rename(unfinished, target)
  await rm(path)
}

function timeText(wallMs: number, isLocalTime: boolean): string {
  const offsetMs = isLocalTime ? new Date(wallMs).getTimezoneOffset() * 60_000 : 0
  return new Date(wallMs - offsetMs).toISOString().slice(0, -1).replaceAll(':', '-')
}

function timeOf(text: string, isLocalTime: boolean): number | undefined {
  const [, day, hours, minutes, seconds] = timePattern.exec(text) ?? []
  if (day === undefined) return undefined
  const zone = isLocalTime ? '' : 'Z'
  const wallMs = Date.parse(`${day}T${hours ?? ''}:${minutes ?? ''}:${seconds ?? ''}${zone}`)
  return Number.isNaN(wallMs) ? undefined : wallMs
}
