import { computed, onScopeDispose, shallowRef, watch } from 'vue'
import type { ComputedRef } from 'vue'
import type { HistoryRow } from '../../../preload/contract/history-columns.ts'
import type { Operation } from '../../components/marks/operation.ts'
import { summaryBytesMax, summaryOf } from '../../stores/change-summary.ts'
import type { ChangeSummary } from '../../stores/change-summary.ts'
import { passOverCall } from '../../stores/failure-text.ts'
import type { KeyDetail } from '../../stores/key-detail.ts'

/** One of the newest changes, and what it changed as soon as both values are at hand. */
export interface LastChange {
  readonly row: HistoryRow
  readonly operation: Operation
  readonly summary: ChangeSummary | undefined
  /** Of the life that it begins or ends; 0: neither. */
  readonly generation: number
}

const summariesMax = 512

/** The newest changes of the opened key. Values are read for those few only, and none that is large. */
export function useLastChanges(
  detail: () => KeyDetail,
  countMax: number,
): ComputedRef<readonly LastChange[]> {
  const summaries = shallowRef<ReadonlyMap<string, ChangeSummary>>(new Map())
  let isGone = false
  onScopeDispose(() => {
    isGone = true
  })

  const changes = computed(() => {
    const { history } = detail()
    const { past } = history
    const first = Math.max(0, past.count - countMax)
    return Array.from({ length: past.count - first }, (_, at) => past.count - 1 - at).map(
      (place) => ({
        row: past.rowAt(place),
        operation: past.operationAt(place),
        before: place > 0 ? past.rowAt(place - 1) : undefined,
      }),
    )
  })

  const idOf = (revision: number): string => `${String(detail().id)} ${String(revision)}`

  async function summarise(revision: number, before: number): Promise<void> {
    const { history } = detail()
    const id = idOf(revision)
    const [left, right] = await Promise.all([history.valueAt(before), history.valueAt(revision)])
    if (isGone || left === undefined || right === undefined) return
    const kept = [...summaries.value].slice(-summariesMax)
    summaries.value = new Map([...kept, [id, summaryOf(left, right)]])
  }

  watch(
    changes,
    (now) => {
      for (const { row, before } of now) {
        if (row.kind !== 'put' || before?.kind !== 'put' || row.version === 1) continue
        if (summaries.value.has(idOf(row.revision))) continue
        const isLarge = Math.max(row.valueSizeBytes, before.valueSizeBytes) > summaryBytesMax
        if (isLarge) continue
        // A value that cannot be read any more leaves its change without words; the size is still told.
        summarise(row.revision, before.revision).catch(passOverCall)
      }
    },
    { immediate: true },
  )

  return computed(() =>
    changes.value.map(({ row, operation, before }) => {
      const isEdge = operation === 'create' || operation === 'delete'
      const bySize: ChangeSummary | undefined =
        row.kind === 'put' && before?.kind === 'put'
          ? { kind: 'size', byBytes: row.valueSizeBytes - before.valueSizeBytes }
          : undefined
      return {
        row,
        operation,
        summary: summaries.value.get(idOf(row.revision)) ?? bySize,
        generation: isEdge ? generationOf(detail(), row.revision) : 0,
      }
    }),
  )
}

function generationOf(detail: KeyDetail, revision: number): number {
  const { past, generations } = detail.history
  const place = past.placeOf(revision)
  return (
    generations.value.find((one) => one.deletedAt === revision || one.first === place)?.number ?? 0
  )
}
