/** What the system tells of this process: memory, time, files. */
import { readdir, readFile } from 'node:fs/promises'

const processFolder = '/proc/self'
/** What Prometheus' libraries write for no limit. */
const unlimitedBytes = 2 ** 64
const startSeconds = Date.now() / 1_000 - process.uptime()

/** The present figures. What only Linux tells is missing on other systems. */
export async function processFigures(): Promise<{
  readonly residentBytes: number
  /** User and system time. */
  readonly cpuSeconds: number
  /** Since 1970. */
  readonly startSeconds: number
  readonly virtualBytes: number | undefined
  readonly virtualBytesMax: number | undefined
  readonly openFileCount: number | undefined
  readonly openFileCountMax: number | undefined
}> {
  const { user, system } = process.cpuUsage()
  const told = process.platform === 'linux' ? await readTold() : undefined
  return {
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (user + system) / 1_000_000,
    startSeconds,
    virtualBytes: told?.virtualBytes,
    virtualBytesMax: told?.virtualBytesMax,
    openFileCount: told?.openFileCount,
    openFileCountMax: told?.openFileCountMax,
  }
}

async function readTold(): Promise<{
  readonly virtualBytes: number | undefined
  readonly virtualBytesMax: number | undefined
  readonly openFileCount: number
  readonly openFileCountMax: number | undefined
}> {
  const [files, status, limits] = await Promise.all([
    readdir(`${processFolder}/fd`),
    readFile(`${processFolder}/status`, 'utf8'),
    readFile(`${processFolder}/limits`, 'utf8'),
  ])
  const virtualKilobytes = numberIn(status, /^VmSize:\s+(\d+)/m)
  return {
    virtualBytes: virtualKilobytes === undefined ? undefined : virtualKilobytes * 1_024,
    virtualBytesMax: numberIn(limits, /^Max address space\s+(\d+)/m) ?? unlimitedBytes,
    // One of them is the folder that was just read.
    openFileCount: files.length - 1,
    openFileCountMax: numberIn(limits, /^Max open files\s+(\d+)/m),
  }
}

function numberIn(text: string, pattern: RegExp): number | undefined {
  const found = pattern.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
