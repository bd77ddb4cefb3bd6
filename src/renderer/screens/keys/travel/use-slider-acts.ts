/** Moving the thumb of the axis: by pointer anywhere on it, by keys in steps. */

import { ref, type Ref } from 'vue'

interface SliderPlace {
  readonly track: Readonly<Ref<HTMLElement | null>>
  readonly span: () => { readonly position: number; readonly oldest: number; readonly head: number }
  readonly go: (revision: number) => void
}

const steps: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -100,
  PageUp: 100,
}

/** Handlers for the track and its thumb. */
export function useSliderActs({ track, span, go }: SliderPlace): {
  readonly isDragging: Ref<boolean>
  readonly press: (event: PointerEvent) => void
  readonly drag: (event: PointerEvent) => void
  readonly move: (event: KeyboardEvent) => void
} {
  const isDragging = ref(false)

  function revisionAt(event: PointerEvent): number {
    const { position, oldest, head } = span()
    const box = track.value?.getBoundingClientRect()
    if (box === undefined || box.width === 0) return position
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))
    return Math.round(oldest + share * (head - oldest))
  }

  function press(event: PointerEvent): void {
    if (event.button !== 0 || !(event.currentTarget instanceof HTMLElement)) return
    event.currentTarget.setPointerCapture(event.pointerId)
    isDragging.value = true
    go(revisionAt(event))
  }

  function drag(event: PointerEvent): void {
    if (!isDragging.value) return
    const revision = revisionAt(event)
    if (revision !== span().position) go(revision)
  }

  function move(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { position, oldest, head } = span()
    const step = steps[event.key]
    let target: number
    if (event.key === 'Home') target = oldest
    else if (event.key === 'End') target = head
    else if (step === undefined) return
    else target = position + step * (event.shiftKey ? 10 : 1)
    event.preventDefault()
    go(Math.min(head, Math.max(oldest, target)))
  }

  return { isDragging, press, drag, move }
}
