/** Plans of many writes: one has the dialog; what ran can be looked at and undone as long as the app runs. */

import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { PlanReport } from '../../preload/contract/plan.ts'
import { fileApi } from '../api/file-api.ts'
import { planApi } from '../api/plan-api.ts'
import { reportBytes, reportFileName } from './plan-report-file.ts'
import { PlanSession, type PlanIntent } from './plan-session.ts'

export const usePlanStore = defineStore('plans', () => {
  const session = shallowRef<PlanSession>()
  /** The dialog of the running plan is put away; the plan goes on. */
  const isHidden = ref(false)
  /** The newest report, for whoever tells of it; a new object each time. */
  const reported = shallowRef<{ readonly session: PlanSession; readonly wasHidden: boolean }>()
  const recentOf = ref<string>()
  const recent = shallowRef<readonly PlanReport[]>([])
  const isRunning = computed(() => session.value?.phase.value === 'running')

  /** Opens the dialog that shows a plan and goes on to run, report and undo. A running plan comes first. */
  function begin(intent: PlanIntent): void {
    if (isRunning.value) {
      isHidden.value = false
      return
    }
    session.value?.close()
    isHidden.value = false
    session.value = new PlanSession(intent, (finished) => {
      reported.value = { session: finished, wasHidden: isHidden.value }
    })
  }

  /** Takes back what a run wrote, wherever nobody wrote since. */
  function undo(report: Pick<PlanReport, 'planId' | 'connectionId'>, subject: string): void {
    const { planId, connectionId } = report
    recentOf.value = undefined
    begin({ connectionId, subject, source: { kind: 'undo', planId }, isImmediate: true })
  }

  /** Closes the dialog and forgets its plan. */
  function close(): void {
    session.value?.close()
    session.value = undefined
  }

  /** Opens the list of what ran on a connection. */
  async function showRecent(connectionId: string): Promise<void> {
    recent.value = []
    recentOf.value = connectionId
    recent.value = (await planApi.list(connectionId)).reports
  }

  /** Writes a report to a file that the user chooses; answers with its name, or undefined when none was chosen. */
  async function saveReport(report: PlanReport): Promise<string | undefined> {
    const saved = await fileApi.saveAs({
      suggestedName: reportFileName(report),
      filters: [{ name: 'JSON', extensions: ['json'] }],
      chunks: [reportBytes(report)],
    })
    return saved?.name
  }

  return {
    ...{ session, isHidden, isRunning, reported, recentOf, recent },
    ...{ begin, undo, close, showRecent, saveReport },
  }
})
