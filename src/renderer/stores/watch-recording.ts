/** Events written to a file while they come, independent of what the ring still keeps. */

import type { SavedFile } from '../../preload/contract/file.ts'
import { fileApi } from '../api/file-api.ts'

/** Waits at most this long before what came is written. */
const flushEveryMs = 250
const encoder = new TextEncoder()

export class WatchRecording {
  rowCount = 0
  /** Resolves when the file is written to its end, or was given up. */
  readonly ended: Promise<void>
  /** To be called then. */
  readonly noteEnd: () => void
  private lines: string[] = []
  private isStopped = false

  constructor() {
    let resolveEnded: () => void = () => undefined
    this.ended = new Promise((resolve) => {
      resolveEnded = resolve
    })
    this.noteEnd = resolveEnded
  }

  add(lines: readonly string[]): void {
    if (this.isStopped) return
    this.rowCount += lines.length
    this.lines.push(...lines)
  }

  /** What came meanwhile is still written; then the file ends. */
  stop(): void {
    this.isStopped = true
  }

  /** Parts of the file, until it is stopped. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const isLast = this.isStopped
      const { lines } = this
      this.lines = []
      if (lines.length > 0) yield encoder.encode(`${lines.join('\n')}\n`)
      if (isLast) return
      await new Promise((done) => setTimeout(done, flushEveryMs))
    }
  }
}

/** Writes events to a file that the user chooses; undefined: the user closed the dialog. Throws `CallError` when refused. */
export function writeEvents(
  type: { readonly name: string; readonly extension: string },
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SavedFile | undefined> {
  const { name, extension } = type
  return fileApi.saveAs({
    suggestedName: `events.${extension}`,
    filters: [{ name, extensions: [extension] }],
    chunks,
  })
}
