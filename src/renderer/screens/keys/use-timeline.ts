import { computed, onScopeDispose } from 'vue'
import type { ComputedRef } from 'vue'
import type { TimelineScale } from '../../components/timeline/timeline-layout.ts'
import { useCommandStore } from '../../stores/commands.ts'
import type { KeyDetail } from '../../stores/key-detail.ts'

/** The axis of a key's history, and steps from one change to the next. */
export function useTimeline(detail: () => KeyDetail): {
  readonly scale: ComputedRef<TimelineScale>
  /** 1: one change back, -1: one forward. Deletions are passed over: there is nothing to read. */
  readonly step: (by: 1 | -1) => void
  readonly canStep: (by: 1 | -1) => boolean
} {
  const commands = useCommandStore()
  const readable = computed(() => detail().revisions.value.filter((one) => one.kind === 'put'))
  const scale = computed<TimelineScale>(() => {
    const revisions = detail().revisions.value
    const hasSeam = detail().compactedRevision.value > 0 || detail().hasOlder.value
    return {
      oldest: revisions.at(-1)?.revision ?? 0,
      newest: revisions[0]?.revision ?? 0,
      start: hasSeam ? 11 : 3,
      end: 96,
    }
  })

  function findTarget(by: 1 | -1): number | undefined {
    const shown = detail().past.value?.revision ?? detail().head.value?.modRevision
    const at = readable.value.findIndex((one) => one.revision === shown)
    // A deleted key shows no revision: one step back leads to the last value it had.
    const next = at === -1 ? (by === 1 ? 0 : -1) : at + by
    return readable.value[next]?.revision
  }

  function step(by: 1 | -1): void {
    const target = findTarget(by)
    if (target !== undefined) void detail().showRevision(target)
  }

  const canStep = (by: 1 | -1): boolean => findTarget(by) !== undefined

  const obstacle = (by: 1 | -1) => (): string | undefined =>
    canStep(by) ? undefined : 'noRevision'
  onScopeDispose(
    commands.register([
      {
        id: 'history.previous',
        icon: 'back',
        shortcuts: ['Shift+{'],
        run: () => {
          step(1)
        },
        findObstacle: obstacle(1),
      },
      {
        id: 'history.next',
        icon: 'fwd',
        shortcuts: ['Shift+}'],
        run: () => {
          step(-1)
        },
        findObstacle: obstacle(-1),
      },
    ]),
  )
  return { scale, step, canStep }
}
