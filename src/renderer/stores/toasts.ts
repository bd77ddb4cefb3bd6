/** Short messages about work in the background, some with one act such as Undo. */

import { defineStore } from 'pinia'
import { ref } from 'vue'

/** What a toast says and offers. */
export interface Toast {
  readonly id: number
  readonly icon: string
  /** Class of the icon's colour. */
  readonly tone: 'ok' | 'danger' | 'delete' | 'info'
  readonly text: string
  /** Shown in mono after the text. */
  readonly subject?: string
  readonly act?: { readonly label: string; readonly icon: string; readonly run: () => void }
  readonly lifeMs: number
}

const lifeMs = 6_000
/** An act stays open for ten seconds. */
const actLifeMs = 10_000
const toastsMax = 4

export const useToastStore = defineStore('toasts', () => {
  const toasts = ref<Toast[]>([])
  let lastId = 0

  function show(toast: Omit<Toast, 'id' | 'lifeMs'>): void {
    lastId++
    const id = lastId
    const life = toast.act === undefined ? lifeMs : actLifeMs
    toasts.value = [...toasts.value, { ...toast, id, lifeMs: life }].slice(-toastsMax)
    setTimeout(() => {
      dismiss(id)
    }, life)
  }

  function dismiss(id: number): void {
    toasts.value = toasts.value.filter((toast) => toast.id !== id)
  }

  return { toasts, show, dismiss }
})
