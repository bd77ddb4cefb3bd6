/** Changes made visible: keys that changed a moment ago flash, and those that were deleted fade before they go. */

import { shallowRef } from 'vue'
import type { WatchChange } from '../../preload/contract/watch.ts'
import { keyText } from '../format/bytes-text.ts'

const flashMs = 900
/** A deleted row stays this long, fading. */
const fadeMs = 600
/** More go at once, without a show. */
const fadingMax = 200
/** More keys than that a second are no flash but a flicker. */
const flashingMax = 500

export interface RowEffectsOptions {
  /** Makes a change part of the rows. Answers whether it can be seen there. */
  readonly apply: (change: WatchChange) => boolean
  /** Rows changed outside a batch of changes. */
  readonly onLate: () => void
}

/** The effects of one list. */
export class RowEffects {
  /** Keys that changed a moment ago, by their text. */
  readonly flashed = shallowRef<ReadonlySet<string>>(new Set())
  /** Keys that were deleted a moment ago and are about to go. */
  readonly leaving = shallowRef<ReadonlySet<string>>(new Set())
  private readonly options: RowEffectsOptions
  /** Until when each key flashes. */
  private readonly flashes = new Map<string, number>()
  private flashTimer: ReturnType<typeof setTimeout> | undefined
  private readonly departures = new Map<
    string,
    { readonly change: WatchChange; readonly timer: ReturnType<typeof setTimeout> }
  >()

  constructor(options: RowEffectsOptions) {
    this.options = options
  }

  /** A change that happens while the list is looked at. */
  take(change: WatchChange): void {
    const name = keyText(change.key)
    const departure = this.departures.get(name)
    if (departure !== undefined) {
      clearTimeout(departure.timer)
      this.depart(name, departure.change)
    }
    if (change.kind === 'put') {
      if (this.options.apply(change)) this.flash(name)
    } else if (this.departures.size >= fadingMax) {
      this.options.apply(change)
    } else {
      const timer = setTimeout(() => {
        this.depart(name, change)
      }, fadeMs)
      this.departures.set(name, { change, timer })
    }
  }

  /** Shows what was taken since the last call. */
  show(): void {
    if (this.flashes.size !== this.flashed.value.size)
      this.flashed.value = new Set(this.flashes.keys())
    if (this.departures.size > 0 || this.leaving.value.size > 0)
      this.leaving.value = new Set(this.departures.keys())
  }

  dispose(): void {
    clearTimeout(this.flashTimer)
    for (const { timer } of this.departures.values()) clearTimeout(timer)
  }

  private depart(name: string, change: WatchChange): void {
    this.departures.delete(name)
    this.options.apply(change)
    this.options.onLate()
  }

  private flash(name: string): void {
    if (this.flashes.size >= flashingMax && !this.flashes.has(name)) return
    this.flashes.set(name, performance.now() + flashMs)
    this.flashTimer ??= setTimeout(() => {
      this.endFlashes()
    }, flashMs)
  }

  /** One timer for all of them: thousands of changes a second must not make thousands of timers. */
  private endFlashes(): void {
    const nowMs = performance.now()
    for (const [name, untilMs] of this.flashes) if (untilMs <= nowMs) this.flashes.delete(name)
    this.flashed.value = new Set(this.flashes.keys())
    this.flashTimer =
      this.flashes.size === 0
        ? undefined
        : setTimeout(() => {
            this.endFlashes()
          }, flashMs / 3)
  }
}
