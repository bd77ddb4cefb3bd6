/** Plans of many writes: computed, shown, run, reported, undone. One at a time has the dialog. */

import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import type { PlanRequest } from '../../preload/contract/plan.ts'

/** What a screen wants to be done. */
export interface PlanIntent extends PlanRequest {
  /** What the keys have in common, for titles: a prefix, a folder, a file's name. Text, never markup. */
  readonly subject: string
  /** Runs without waiting for a confirmation: for an undo, and for a few keys that the user named one by one. */
  readonly isImmediate?: boolean
}

export const usePlanStore = defineStore('plans', () => {
  const intent = shallowRef<PlanIntent>()

  /** Opens the dialog that shows a plan and goes on to run, report and undo. */
  function begin(wanted: PlanIntent): void {
    intent.value = wanted
  }

  return { intent, begin }
})
