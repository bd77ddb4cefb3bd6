/** The active row of a key list: it follows the opened key, and opens another where it rests. */

import { useDebounceFn } from '@vueuse/core'
import { ref, watch } from 'vue'
import type { Ref } from 'vue'
import type { ListHandle } from '../../components/list/list-handle.ts'
import { isModHeld } from '../../composables/shortcut.ts'
import type { KeyBrowser } from '../../stores/key-browser.ts'
import type { KeySelection } from './use-key-selection.ts'

/** Moving by keyboard opens a key only where it rests, so that passing over a hundred keys does not read them all. */
const restMs = 140

/** The list whose row it is. */
export interface ActiveRowParts {
  readonly browser: () => KeyBrowser
  readonly openedKey: () => Uint8Array | undefined
  readonly selection: KeySelection
  readonly list: Ref<ListHandle | null>
  readonly open: (key: Uint8Array) => void
}

/** Position of the active row, -1 without one, and what moves it. */
export function useActiveRow({ browser, openedKey, selection, list, open }: ActiveRowParts): {
  readonly active: Ref<number>
  readonly choose: (index: number, event: KeyboardEvent | MouseEvent) => void
  readonly moved: (index: number, event: KeyboardEvent) => void
} {
  const active = ref(-1)

  // The opened key stays the active row wherever a refresh or a live change moves it, until another row is made active.
  let followed: { readonly key: Uint8Array; readonly position: number } | undefined
  watch(
    () => [browser().changes.value, openedKey()] as const,
    ([, key]) => {
      const position = key === undefined ? undefined : browser().find(key)
      if (key === undefined || position === undefined) return
      const isNew = followed?.key !== key
      const wasActive = followed?.position === active.value
      followed = { key, position }
      if (position === active.value || (!isNew && !wasActive)) return
      active.value = position
      if (isNew) list.value?.reveal(position)
    },
    { immediate: true },
  )

  watch(browser, () => {
    selection.clear()
    active.value = -1
    owed = undefined
  })

  /** Where a row is to be opened that was not read yet: at the end of a long list, for one. */
  let owed: number | undefined
  watch(
    () => browser().changes.value,
    () => {
      if (owed !== undefined && owed === active.value) openAt(owed)
    },
  )

  function openAt(index: number): void {
    const row = browser().rowAt(index)
    owed = row === undefined ? index : undefined
    if (row !== undefined) open(row.key)
  }

  const openActive = useDebounceFn(() => {
    openAt(active.value)
  }, restMs)

  return {
    active,
    choose: (index, event) => {
      owed = undefined
      if (isModHeld(event)) selection.toggle(index)
      else if (event.shiftKey) selection.extendTo(index)
      else {
        selection.startAt(index)
        openAt(index)
      }
    },
    moved: (index, event) => {
      owed = undefined
      if (event.shiftKey) selection.extendTo(index)
      else {
        selection.moveTo(index)
        void openActive()
      }
    },
  }
}
