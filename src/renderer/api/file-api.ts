import type { FileFilter, OpenFileRequest, SavedFile } from '../../preload/contract/file.ts'
import { fileChunkBytesMax } from '../../preload/contract/limits.ts'
import { getBridge, unwrap } from './bridge.ts'

/** What is to be written, and under which name. */
export interface SaveAsRequest {
  /** Base name; characters that no file name may have are replaced. */
  readonly suggestedName: string
  readonly filters?: readonly FileFilter[]
  /** The content in order; asked for only once the user has chosen a place, and piece by piece. */
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** Files that the user chooses in a dialog of the system. Every function throws `CallError` when refused. */
export const fileApi = {
  /** Writes a new file. Undefined: the user closed the dialog. What fails half-way leaves no file behind. */
  saveAs: async (request: SaveAsRequest): Promise<SavedFile | undefined> => {
    const { suggestedName, filters = [], chunks } = request
    const { files } = getBridge()
    const begun = await unwrap(files.beginSave({ suggestedName, filters }))
    if (begun.kind === 'cancelled') return undefined
    const { token } = begun
    try {
      for await (const chunk of chunks) {
        for (let at = 0; at < chunk.length; at += fileChunkBytesMax) {
          const bytes = chunk.subarray(at, at + fileChunkBytesMax)
          await unwrap(files.append({ token, bytes }))
        }
      }
      return await unwrap(files.finishSave({ token }))
    } catch (failure) {
      await files.abandonSave({ token })
      throw failure
    }
  },
  /** Reads a file. Undefined: the user closed the dialog. */
  open: async (
    request: OpenFileRequest,
  ): Promise<{ readonly name: string; readonly bytes: Uint8Array } | undefined> => {
    const reply = await unwrap(getBridge().files.open(request))
    return reply.kind === 'cancelled' ? undefined : reply
  },
} as const
