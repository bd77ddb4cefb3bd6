/** Which dialog about keys is open, and for what. Screens ask for one from anywhere; the key screen shows it. */

import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import type { KeyRange, KeyValue } from '../../preload/contract/kv.ts'

/** What is to be exported: named keys, or a range, as of a revision (0: the newest). */
export type ExportSubject =
  | { readonly kind: 'keys'; readonly keys: readonly Uint8Array[]; readonly revision: number }
  | { readonly kind: 'range'; readonly range: KeyRange; readonly revision: number }

/** A dialog that is open. */
export type KeyDialog =
  | {
      readonly kind: 'new'
      readonly prefix: Uint8Array
      /** A key that the new one begins as a copy of. */
      readonly template?: KeyValue
    }
  | { readonly kind: 'rename'; readonly pair: KeyValue }
  | { readonly kind: 'lease'; readonly pair: KeyValue }
  | { readonly kind: 'renameFolder'; readonly prefix: Uint8Array }
  | { readonly kind: 'export'; readonly subject: ExportSubject }
  | { readonly kind: 'import'; readonly prefix: Uint8Array }

export const useKeyDialogStore = defineStore('keyDialogs', () => {
  const open = shallowRef<KeyDialog & { readonly connectionId: string }>()

  /** Opens a dialog in place of the one that is open. */
  function ask(connectionId: string, dialog: KeyDialog): void {
    open.value = { ...dialog, connectionId }
  }

  function close(): void {
    open.value = undefined
  }

  return { open, ask, close }
})
