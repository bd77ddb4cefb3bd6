import { dirname } from 'node:path'
import type { FileHandle, FileSystem } from '../io/file-system.ts'

const copyPieceBytes = 1024 * 1024

/** Where the content of a segment is kept that was cut. */
export function brokenPathOf(segmentPath: string): string {
  return `${segmentPath}.broken`
}

/**
 * Cuts a segment after its last whole record, durably. The file as it was is kept as `*.broken`, because a cut is the
 * one place where the log throws bytes away.
 *
 * The good part is written to a new file that takes the segment's name: a crash in between finds either the torn segment or
 * the whole one, never one that is half cut.
 */
export async function repairTail(
  fileSystem: FileSystem,
  tail: { readonly path: string; readonly offsetBytes: number },
): Promise<void> {
  const temporaryPath = `${tail.path}.tmp`
  const source = await fileSystem.openForReading(tail.path)
  try {
    await copyTo(fileSystem, source, {
      path: brokenPathOf(tail.path),
      sizeBytes: Number.POSITIVE_INFINITY,
    })
    await copyTo(fileSystem, source, { path: temporaryPath, sizeBytes: tail.offsetBytes })
  } finally {
    await source.close()
  }
  await fileSystem.rename(temporaryPath, tail.path)
  await fileSystem.syncDirectory(dirname(tail.path))
}

/** Copies the beginning of a file, or all of it, and syncs the copy. */
async function copyTo(
  fileSystem: FileSystem,
  source: FileHandle,
  target: { readonly path: string; readonly sizeBytes: number },
): Promise<void> {
  const copy = await fileSystem.open(target.path, { create: true })
  try {
    await copy.truncate(0)
    for (let at = 0; at < target.sizeBytes; at += copyPieceBytes) {
      const piece = await source.read(at, Math.min(copyPieceBytes, target.sizeBytes - at))
      if (piece.length === 0) break
      await copy.write(at, [piece])
    }
    await copy.sync()
  } finally {
    await copy.close()
  }
}
