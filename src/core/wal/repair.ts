import type { FileHandle, FileSystem } from '../io/file-system.ts'

const copyPieceBytes = 1024 * 1024

/**
 * Cuts a segment after its last whole record, durably. The file as it was is kept as `*.broken`, because a cut is the
 * one place where the log throws bytes away.
 */
export async function repairTail(
  fileSystem: FileSystem,
  tail: { readonly path: string; readonly offsetBytes: number },
): Promise<void> {
  const source = await fileSystem.open(tail.path, { create: false })
  try {
    const copy = await fileSystem.open(`${tail.path}.broken`, { create: true })
    try {
      await copyContent(source, copy)
      await copy.sync()
    } finally {
      await copy.close()
    }
    await source.truncate(tail.offsetBytes)
    await source.sync()
  } finally {
    await source.close()
  }
}

async function copyContent(source: FileHandle, target: FileHandle): Promise<void> {
  await target.truncate(0)
  for (let offsetBytes = 0; ; offsetBytes += copyPieceBytes) {
    const piece = await source.read(offsetBytes, copyPieceBytes)
    await target.write(offsetBytes, [piece])
    if (piece.length < copyPieceBytes) return
  }
}
