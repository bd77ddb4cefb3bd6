/** Dialogs and files in memory: the user of a test chooses what the test says, and what is written can be read. */

import type { Bridge } from '../../src/preload/contract/bridge.ts'
import type { Reply } from '../../src/preload/contract/reply.ts'

/** A world's files. */
export class FakeFiles {
  /** Files as they stand under their names. */
  readonly saved = new Map<string, Uint8Array>()
  /** What the next dialog for opening answers; undefined: the user closes it. */
  toOpen: { readonly name: string; readonly bytes: Uint8Array } | undefined
  /** The user closes the next dialogs for saving. */
  isCancelling = false
  readonly bridge: Bridge['files']
  private readonly parts = new Map<string, { readonly name: string; bytes: Uint8Array }>()
  private newest = 0

  constructor() {
    this.bridge = {
      beginSave: ({ suggestedName }) => {
        if (this.isCancelling) return answered({ kind: 'cancelled' })
        const token = String(++this.newest)
        this.parts.set(token, { name: suggestedName, bytes: new Uint8Array(0) })
        return answered({ kind: 'chosen', token, name: suggestedName })
      },
      append: ({ token, bytes }) => {
        const part = this.parts.get(token)
        if (part === undefined) return refused('unknownFile')
        part.bytes = Uint8Array.of(...part.bytes, ...bytes)
        return answered(null)
      },
      finishSave: ({ token }) => {
        const part = this.parts.get(token)
        if (part === undefined) return refused('unknownFile')
        this.parts.delete(token)
        this.saved.set(part.name, part.bytes)
        return answered({ name: part.name, sizeBytes: part.bytes.length })
      },
      abandonSave: ({ token }) => {
        this.parts.delete(token)
        return answered(null)
      },
      open: ({ sizeBytesMax }) => {
        const file = this.toOpen
        if (file === undefined) return answered({ kind: 'cancelled' })
        if (file.bytes.length > sizeBytesMax) return refused('fileTooLarge')
        return answered({ kind: 'chosen', ...file })
      },
    }
  }
}

function answered<T>(value: T): Promise<Reply<T>> {
  return Promise.resolve({ ok: true, value })
}

function refused<T>(code: string): Promise<Reply<T>> {
  const error = { code, message: code, isRetryable: false, isOutcomeUnknown: false, details: {} }
  return Promise.resolve({ ok: false, error })
}
