import { computed, onScopeDispose } from 'vue'
import type { ComputedRef } from 'vue'
import { useCommandStore } from '../../stores/commands.ts'
import type { Command } from '../../stores/commands.ts'
import type { KeyDetail } from '../../stores/key-detail.ts'

/** What can be done in the history of the opened key. Revisions of 0 mean none. */
export interface KeyHistoryActs {
  /** The change that is shown: the one that made the key what stands on the screen. */
  readonly selected: ComputedRef<number>
  /** The readable change before or after what is shown. */
  readonly findChange: (by: 1 | -1) => number
  readonly stepChange: (by: 1 | -1) => void
  /** A click: shows the change, or with Shift marks it as the second of two. */
  readonly choose: (revision: number, isSecond: boolean) => void
  /** Opens the difference of A and B. */
  readonly compare: () => void
  /** Opens the difference of what is shown and the change before. */
  readonly comparePrevious: () => void
}

/** The acts of a key's history, with their commands. */
export function useKeyHistory(
  detail: () => KeyDetail,
  parts: {
    readonly openDiff: () => void
    readonly openTimeline: () => void
    readonly restore: (revision: number) => void
    /** Why nothing can be written here: the name of a reason of the commands. */
    readonly findWriteObstacle: () => string | undefined
  },
): KeyHistoryActs {
  const selected = computed(() => {
    const { past, head } = detail()
    if (past.value === undefined) return head.value?.modRevision ?? 0
    return past.value.pair?.modRevision ?? past.value.revision
  })

  function findChange(by: 1 | -1): number {
    const { history } = detail()
    const { past } = history
    // Where nothing is shown (the key was deleted) the step begins at the place where it would stand.
    const place = past.placeFrom(selected.value === 0 ? Number.POSITIVE_INFINITY : selected.value)
    const isAt = past.revisionAt(place) === selected.value
    return past.revisionAt(past.readableFrom(isAt || by === -1 ? place : place - 1, by))
  }

  function stepChange(by: 1 | -1): void {
    const revision = findChange(by)
    if (revision > 0) void detail().showRevision(revision)
  }

  function choose(revision: number, isSecond: boolean): void {
    const { history } = detail()
    if (isSecond && selected.value > 0 && selected.value !== revision) {
      history.markPair(selected.value, revision)
    } else {
      void detail().showRevision(revision)
    }
  }

  function compare(): void {
    const { a, b } = detail().history.marks.value
    if (a > 0 && b > 0) parts.openDiff()
  }

  function comparePrevious(): void {
    const before = findChange(-1)
    if (before === 0 || selected.value === 0) return
    detail().history.markPair(before, selected.value)
    parts.openDiff()
  }

  const acts = { selected, findChange, stepChange, choose, compare, comparePrevious }
  useHistoryCommands(detail, acts, parts)
  return acts
}

/** The store's own revision before or after the one that is shown; 0: none is readable there. */
function findRevision(detail: KeyDetail, by: 1 | -1): number {
  const { past, headRevision, history, asOf } = detail
  const newest = asOf.value === 0 ? headRevision.value : asOf.value
  const now = past.value?.revision ?? newest
  const next = now + by
  const oldest = Math.max(1, history.compactedRevision.value)
  return next < oldest || next > newest ? 0 : next
}

/** Commands of the history, for as long as the key is open. */
function useHistoryCommands(
  detail: () => KeyDetail,
  acts: KeyHistoryActs,
  parts: {
    readonly openTimeline: () => void
    readonly restore: (revision: number) => void
    readonly findWriteObstacle: () => string | undefined
  },
): void {
  const commands = useCommandStore()
  const { selected, findChange, stepChange, compare, comparePrevious } = acts
  const needs = (revision: () => number) => (): string | undefined =>
    revision() > 0 ? undefined : 'noRevision'
  const step = (by: 1 | -1): Pick<Command, 'run' | 'findObstacle'> => ({
    run: () => {
      stepChange(by)
    },
    findObstacle: needs(() => findChange(by)),
  })
  const stepRevision = (by: 1 | -1): Pick<Command, 'run' | 'findObstacle'> => ({
    run: () => {
      const revision = findRevision(detail(), by)
      if (revision > 0) void detail().showRevision(revision)
    },
    findObstacle: needs(() => findRevision(detail(), by)),
  })
  const findRestoreObstacle = (): string | undefined =>
    detail().past.value?.pair === undefined ? 'noRevision' : parts.findWriteObstacle()
  const mark = (which: 'a' | 'b'): Pick<Command, 'run' | 'findObstacle'> => ({
    run: () => {
      detail().history.mark(which, selected.value)
    },
    findObstacle: needs(() => selected.value),
  })
  onScopeDispose(
    commands.register([
      { id: 'key.history', icon: 'history', shortcuts: [], run: parts.openTimeline },
      { id: 'history.previous', icon: 'back', shortcuts: ['Shift+{'], ...step(-1) },
      { id: 'history.next', icon: 'fwd', shortcuts: ['Shift+}'], ...step(1) },
      { id: 'history.back', icon: 'back', shortcuts: ['['], ...stepRevision(-1) },
      { id: 'history.forward', icon: 'fwd', shortcuts: [']'], ...stepRevision(1) },
      { id: 'history.markA', icon: 'flag', shortcuts: ['A'], ...mark('a') },
      { id: 'history.markB', icon: 'flag', shortcuts: ['B'], ...mark('b') },
      {
        id: 'history.compare',
        icon: 'diff',
        shortcuts: ['C'],
        run: compare,
        findObstacle: () => {
          const { a, b } = detail().history.marks.value
          return a > 0 && b > 0 ? undefined : 'noMarks'
        },
      },
      {
        id: 'history.comparePrevious',
        icon: 'diff',
        shortcuts: ['D'],
        run: comparePrevious,
        findObstacle: needs(() => (selected.value === 0 ? 0 : findChange(-1))),
      },
      {
        ...{ id: 'history.restore', icon: 'undo', shortcuts: [] },
        run: () => {
          parts.restore(selected.value)
        },
        findObstacle: findRestoreObstacle,
      },
    ]),
  )
}
