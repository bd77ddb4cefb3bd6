import { join } from 'node:path'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileSystem } from '../io/file-system.ts'
import type { LogIndex } from '../raft/message.ts'

/** One segment file by its name. */
export interface Segment {
  readonly name: string
  /** Counts the segments of a log from 0, without gaps. */
  readonly sequence: number
  /** Index of the first entry the segment may hold. */
  readonly firstIndex: LogIndex
}

const namePattern = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/

/** `SSSSSSSSSSSSSSSS-IIIIIIIIIIIIIIII.wal`: sequence number and first index, both in hexadecimal. */
export function segmentOf(sequence: number, firstIndex: LogIndex): Segment {
  return { name: `${hex16(sequence)}-${hex16(firstIndex)}.wal`, sequence, firstIndex }
}

/** Undefined for a name that is not a segment's. */
export function parseSegmentName(name: string): Segment | undefined {
  const match = namePattern.exec(name)
  if (match === null) return undefined
  const sequence = Number.parseInt(match[1] ?? '', 16)
  const firstIndex = Number.parseInt(match[2] ?? '', 16)
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(firstIndex)) return undefined
  return { name, sequence, firstIndex }
}

/** A number as 16 hexadecimal digits, as file names have them. */
export function hex16(value: number): string {
  return value.toString(16).padStart(16, '0')
}

/** The segments in a directory in the order of the log; an absent directory has none. */
export async function listSegments(
  fileSystem: FileSystem,
  directory: string,
): Promise<readonly Segment[]> {
  const segments: Segment[] = []
  for (const name of await listOrEmpty(fileSystem, directory)) {
    const segment = parseSegmentName(name)
    if (segment !== undefined) segments.push(segment)
  }
  return segments.sort((left, right) => left.sequence - right.sequence)
}

/** Names in a directory; none when it is absent. */
export async function listOrEmpty(
  fileSystem: FileSystem,
  directory: string,
): Promise<readonly string[]> {
  try {
    return await fileSystem.list(directory)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/**
 * The segments that must be read to continue from `index`: from the last one that begins at or before it. First indexes
 * may fall from one segment to the next, where a conflict was resolved just before a cut; the later segment then replaces
 * what the earlier ones hold beyond.
 *
 * @throws StorageFault  when there is none, or a number is missing in the sequence
 */
export function segmentsFrom(
  segments: readonly Segment[],
  directory: string,
  index: LogIndex,
): readonly Segment[] {
  const start = segments.findLastIndex((segment) => segment.firstIndex <= index)
  if (start < 0) {
    throw new StorageFault(`the log in ${directory} does not reach back to index ${index}`, {
      path: directory,
    })
  }
  const chosen = segments.slice(start)
  for (const [position, segment] of chosen.entries()) {
    const previous = chosen[position - 1]
    if (previous === undefined) continue
    if (segment.sequence !== previous.sequence + 1) {
      throw new StorageFault(`segments are missing between ${previous.name} and ${segment.name}`, {
        path: join(directory, segment.name),
      })
    }
  }
  return chosen
}
