/**
 * Virtual time: a heap of events, run one by one in one thread.
 *
 * An event is a function with a time in whole virtual microseconds. After each event the scheduler gives one real turn
 * of the loop away (`setImmediate`), so that every promise continuation the event released has run before the next event
 * starts. Idle time costs nothing. Events of equal time run in the order in which they were scheduled.
 *
 * Events belong to a process. Those of a dead process are dropped; those of a paused one wait and are due at once when it
 * goes on, as with a machine that was suspended.
 */
import { Trace } from './trace.ts'

// The run replaces the real timers by throwing ones; the scheduler alone keeps this one.
const realSetImmediate = setImmediate

/** A life of a simulated program: from start to kill. */
export class SimProcess {
  readonly name: string
  /** Small number for the trace hash. */
  readonly ordinal: number
  isAlive = true
  isPaused = false
  /** What came due during a pause, in order. */
  readonly deferred: ScheduledEvent[] = []
  /** Timers set and neither fired nor cancelled. */
  readonly timers = new Set<ScheduledEvent>()

  constructor(name: string, ordinal: number) {
    this.name = name
    this.ordinal = ordinal
  }
}

/** One entry of the heap. */
export interface ScheduledEvent {
  /** Moved when the event waited for a paused process. */
  atUs: number
  sequence: number
  readonly kind: string
  readonly process: SimProcess | undefined
  readonly run: () => void
  readonly describe: (() => string) | undefined
  isCancelled: boolean
}

/** How an event is shown and whom it belongs to. */
export interface EventLabel {
  /** From a small fixed set: goes into the trace hash. */
  readonly kind: string
  readonly process?: SimProcess | undefined
  readonly describe?: () => string
}

/** Runs events in order of (time, sequence). */
export class SimScheduler {
  readonly trace = new Trace()
  nowUs = 0
  eventCount = 0
  /** Set to end {@link runUntil} early, for instance by the first violation. */
  isStopping = false
  /** Called after each event and the continuations that it released. */
  afterEvent: (() => void) | undefined
  private readonly heap: ScheduledEvent[] = []
  private nextSequence = 0

  /** Runs `run` after `delayUs` (rounded up to whole microseconds). */
  schedule(delayUs: number, label: EventLabel, run: () => void): ScheduledEvent {
    const event: ScheduledEvent = {
      atUs: this.nowUs + Math.max(0, Math.ceil(delayUs)),
      sequence: this.nextSequence++,
      kind: label.kind,
      process: label.process,
      describe: label.describe,
      run,
      isCancelled: false,
    }
    this.push(event)
    return event
  }

  /**
   * Lets a paused process go on: everything that came due meanwhile is due now.
   *
   * @param rankOf  events of a lower rank come first, those of equal rank in their old order; timers, peers and clients are
   *   different queues of a real process, and nothing says which is looked at first
   */
  resume(process: SimProcess, rankOf: (event: ScheduledEvent) => number = () => 0): void {
    process.isPaused = false
    const deferred = process.deferred.splice(0).map((event) => ({ event, rank: rankOf(event) }))
    for (const { event } of deferred.sort((left, right) => left.rank - right.rank)) {
      if (event.isCancelled) continue
      event.atUs = this.nowUs
      event.sequence = this.nextSequence++
      this.push(event)
    }
  }

  /** Runs everything due up to `untilUs`, then sets the time to it. Rejects with what an event threw. */
  runUntil(untilUs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          this.afterEvent?.()
          const event = this.isStopping ? undefined : this.takeDue(untilUs)
          if (event === undefined) {
            if (!this.isStopping) this.nowUs = Math.max(this.nowUs, untilUs)
            resolve()
            return
          }
          this.execute(event)
        } catch (failure) {
          reject(failure instanceof Error ? failure : new Error(String(failure)))
          return
        }
        realSetImmediate(turn)
      }
      realSetImmediate(turn)
    })
  }

  private execute(event: ScheduledEvent): void {
    this.nowUs = event.atUs
    this.eventCount += 1
    this.trace.mix(event.atUs)
    this.trace.mixText(event.kind)
    this.trace.mix(event.process?.ordinal ?? 0)
    const { atUs, kind, describe } = event
    const process = event.process?.name ?? ''
    this.trace.remember(
      describe === undefined
        ? { atUs, process, text: kind }
        : () => ({ atUs, process, text: `${kind} ${describe()}` }),
    )
    event.run()
  }

  private takeDue(untilUs: number): ScheduledEvent | undefined {
    for (;;) {
      const first = this.heap[0]
      if (first === undefined || first.atUs > untilUs) return undefined
      this.popFirst()
      if (first.isCancelled) continue
      const process = first.process
      if (process === undefined) return first
      if (!process.isAlive) continue
      if (!process.isPaused) return first
      process.deferred.push(first)
    }
  }

  private push(event: ScheduledEvent): void {
    const heap = this.heap
    let position = heap.length
    heap.push(event)
    while (position > 0) {
      const parentPosition = (position - 1) >> 1
      const parent = heap[parentPosition]!
      if (isBefore(parent, event)) break
      heap[position] = parent
      position = parentPosition
    }
    heap[position] = event
  }

  private popFirst(): void {
    const heap = this.heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let position = 0
    for (;;) {
      let childPosition = 2 * position + 1
      if (childPosition >= heap.length) break
      const right = heap[childPosition + 1]
      if (right !== undefined && isBefore(right, heap[childPosition]!)) childPosition += 1
      const child = heap[childPosition]!
      if (isBefore(last, child)) break
      heap[position] = child
      position = childPosition
    }
    heap[position] = last
  }
}

function isBefore(left: ScheduledEvent, right: ScheduledEvent): boolean {
  return left.atUs < right.atUs || (left.atUs === right.atUs && left.sequence < right.sequence)
}
