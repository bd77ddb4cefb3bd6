/** Makes one side like the other, for a part of the differences: opens the plan that shows what will be written. */

import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { keyText } from '../../format/bytes-text.ts'
import { countText, revisionText } from '../../format/quantity-text.ts'
import type { SideName } from '../../stores/compare-side.ts'
import { applySource } from '../../stores/compare-apply.ts'
import type { Comparison } from '../../stores/comparison.ts'
import type { DifferenceLine } from '../../stores/difference-tree.ts'
import { useConnectionStore } from '../../stores/connections.ts'
import { usePlanStore } from '../../stores/plans.ts'

export interface CompareApply {
  /** Why a side cannot be changed now: the name of a reason of the commands. */
  readonly obstacleOf: (target: SideName) => string | undefined
  /** What would be done, in words. */
  readonly sentenceOf: (target: SideName) => string
  readonly apply: (target: SideName) => void
  readonly hasRun: ComputedRef<boolean>
}

/** Rows that an act is about, and what they are called. */
interface Subject {
  readonly rows: readonly number[]
  readonly text: string
  /** Everything that differs, nothing filtered out. */
  readonly isAll: boolean
}

export function useCompareApply(
  comparison: () => Comparison,
  activeLine: () => number,
): CompareApply {
  const { t } = useI18n()
  const connections = useConnectionStore()
  const plans = usePlanStore()
  const { nameOf, placeOf } = useSideNames(comparison)
  const subject = useSubject(comparison, activeLine)
  const hasRun = computed(() => comparison().run.value?.durationMs !== undefined)

  function obstacleOf(target: SideName): string | undefined {
    const one = comparison()
    const run = one.run.value
    if (one.status.value === 'running') return 'running'
    if (run?.pinned === undefined || !hasRun.value) return 'notCompared'
    if (run.sides[target].revision > 0) return target === 'left' ? 'leftIsPast' : 'rightIsPast'
    if (one.hasOtherNames()) return 'otherNames'
    if (connections.findConnection(run.sides[target].connectionId)?.isReadOnly === true)
      return 'readOnly'
    return one.shownCount.value === 0 ? 'noDifference' : undefined
  }

  function sentenceOf(target: SideName): string {
    const source = target === 'left' ? 'right' : 'left'
    const named = { target: nameOf(target), source: nameOf(source) }
    return t('compare.direction', { ...named, what: subject().text })
  }

  function apply(target: SideName): void {
    const one = comparison()
    const run = one.run.value
    if (run === undefined || obstacleOf(target) !== undefined) return
    const { rows, isAll } = subject()
    const source = applySource(one, { target, rows: isAll && run.isCut ? undefined : rows })
    if (source === undefined) return
    plans.begin({
      connectionId: run.sides[target].connectionId,
      source,
      subject: placeOf(target),
    })
  }

  return { obstacleOf, sentenceOf, apply, hasRun }
}

/** What an act is about: what was chosen; else the line that is active; else all that is shown. */
function useSubject(comparison: () => Comparison, activeLine: () => number): () => Subject {
  const { t } = useI18n()

  function ofLine(one: Comparison, line: DifferenceLine): Subject {
    const rows = one.rowsOf(line)
    if (line.kind === 'key') {
      const key = keyText(one.findRow(line.row)?.key ?? new Uint8Array(0))
      return { rows, text: t('compare.applyHint.one', { key }), isAll: false }
    }
    const named = { n: countText(rows.length), path: keyText(line.path) }
    return { rows, text: t('compare.applyHint.folder', named, rows.length), isAll: false }
  }

  return () => {
    const one = comparison()
    if (one.chosenCount.value > 0) {
      const n = one.chosenCount.value
      const text = t('compare.applyHint.chosen', { n: countText(n) }, n)
      return { rows: one.chosenRows(), text, isAll: false }
    }
    const line = one.findLine(activeLine())
    if (line !== undefined) return ofLine(one, line)
    const rows = one.shownRows()
    const text = t('compare.applyHint.shown', { n: countText(rows.length) }, rows.length)
    const { kind, contains } = one.filter.value
    return { rows, text, isAll: kind === 'all' && contains.length === 0 }
  }
}

/** What the sides of the last run are called. */
function useSideNames(comparison: () => Comparison): {
  /** With its revision. */
  readonly nameOf: (side: SideName) => string
  /** Prefix and connection. */
  readonly placeOf: (side: SideName) => string
} {
  const { t } = useI18n()
  const connections = useConnectionStore()

  function placeOf(side: SideName): string {
    const choice = comparison().run.value?.sides[side]
    const { connectionId = '', subject: prefix = '' } = choice ?? {}
    const connection = connections.findConnection(connectionId)?.name ?? connectionId
    return t('compare.place', {
      connection,
      prefix: prefix === '' ? t('compare.everyKey') : prefix,
    })
  }

  function nameOf(side: SideName): string {
    const run = comparison().run.value
    if (run === undefined) return ''
    const { revision } = run.sides[side]
    if (revision === 0) return t('compare.sideHead', { place: placeOf(side) })
    return t('compare.side', { place: placeOf(side), revision: revisionText(revision) })
  }

  return { nameOf, placeOf }
}
