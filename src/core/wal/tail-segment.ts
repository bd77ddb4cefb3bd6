/** How a segment comes to be the last one of a log, and how that one is opened again. */

import { join } from 'node:path'
import type { FileSystem } from '../io/file-system.ts'
import type { RecoveredLog } from './log-recovery.ts'
import type { Segment } from './segment.ts'
import { SegmentFile } from './segment-file.ts'

/** Writes the opening records into a prepared file and gives it its name, durably. */
export async function publishSegment(
  place: { readonly fileSystem: FileSystem; readonly directory: string },
  file: SegmentFile,
  options: { readonly segment: Segment; readonly header: Uint8Array },
): Promise<SegmentFile> {
  const path = join(place.directory, options.segment.name)
  await file.append(options.header)
  await file.handle.sync()
  await place.fileSystem.rename(file.path, path)
  await place.fileSystem.syncDirectory(place.directory)
  return file.renamedTo(path)
}

/** Opens the last segment of a log that was recovered, to go on behind what it holds. */
export async function openTail(
  place: { readonly fileSystem: FileSystem; readonly directory: string },
  recovered: RecoveredLog,
  sizeBytesMax: number,
): Promise<SegmentFile> {
  const { end } = recovered
  const path = join(place.directory, end.segment.name)
  const handle = await place.fileSystem.open(path, { create: false })
  const allocatedBytes = end.state === 'clean' ? end.sizeBytes : end.offsetBytes
  return new SegmentFile(handle, {
    path,
    offsetBytes: end.offsetBytes,
    allocatedBytes,
    sizeBytesMax,
  })
}
