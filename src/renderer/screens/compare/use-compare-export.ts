/** Saves what is shown of a comparison as a file, with progress and a way to end it. */

import { onScopeDispose, shallowRef, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { fileApi } from '../../api/file-api.ts'
import { sizeText } from '../../format/quantity-text.ts'
import { exportChunks, exportName, type ExportForm } from '../../stores/compare-export.ts'
import type { Comparison } from '../../stores/comparison.ts'
import { useConnectionStore } from '../../stores/connections.ts'
import { failureLine } from '../../stores/failure-text.ts'
import { useToastStore } from '../../stores/toasts.ts'

export interface CompareExport {
  /** Present while a file is being written. */
  readonly progress: ShallowRef<
    { readonly doneCount: number; readonly totalCount: number } | undefined
  >
  readonly save: (form: ExportForm) => Promise<void>
  readonly cancel: () => void
}

export function useCompareExport(comparison: () => Comparison): CompareExport {
  const { t } = useI18n()
  const connections = useConnectionStore()
  const toasts = useToastStore()
  const progress = shallowRef<{ readonly doneCount: number; readonly totalCount: number }>()
  let abort: AbortController | undefined

  async function save(form: ExportForm): Promise<void> {
    const run = comparison().run.value
    if (run?.pinned === undefined || progress.value !== undefined) return
    abort = new AbortController()
    const { signal } = abort
    const chunks = exportChunks(comparison(), {
      form,
      signal,
      nameOf: (id) => connections.findConnection(id)?.name ?? id,
      texts: { binary: t('compare.binaryDiffers'), large: t('compare.largeDiffers') },
      onProgress: (doneCount, totalCount) => {
        progress.value = { doneCount, totalCount }
      },
    })
    try {
      const suggestedName = exportName(run, form)
      const saved = await fileApi.saveAs({ suggestedName, chunks })
      if (saved === undefined) return
      const text = t('compare.exported', { name: saved.name, size: sizeText(saved.sizeBytes) })
      toasts.show({ icon: 'check', tone: 'ok', text })
    } catch (failure) {
      if (signal.aborted) return
      const text = t('compare.exportFailed', { reason: failureLine(failure) })
      toasts.show({ icon: 'warn', tone: 'danger', text })
    } finally {
      progress.value = undefined
      abort = undefined
    }
  }

  function cancel(): void {
    abort?.abort()
  }

  onScopeDispose(cancel)

  return { progress, save, cancel }
}
