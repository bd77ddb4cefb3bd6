/**
 * Changes of watches that the user wants to be told of. What comes at once is told once: the first changes a moment after they
 * came, and those that follow no more often than every ten seconds.
 */

/** Changes of one watch. */
export interface WatchNewsItem {
  readonly watchId: number
  readonly changeCount: number
}

const gatherMs = 400
const restMs = 10_000

interface Gathered {
  changeCount: number
  readonly timer: ReturnType<typeof setTimeout>
}

/** Gathers changes by watch. */
export class WatchNews {
  private readonly tell: (item: WatchNewsItem) => void
  private readonly gathered = new Map<number, Gathered>()
  private readonly toldAtMs = new Map<number, number>()

  constructor(tell: (item: WatchNewsItem) => void) {
    this.tell = tell
  }

  /** Changes of a watch arrived. */
  add(watchId: number, changeCount: number): void {
    const known = this.gathered.get(watchId)
    if (known !== undefined) {
      known.changeCount += changeCount
      return
    }
    const restedMs = performance.now() - (this.toldAtMs.get(watchId) ?? -restMs)
    const timer = setTimeout(
      () => {
        const { changeCount: count } = this.gathered.get(watchId) ?? { changeCount: 0 }
        this.gathered.delete(watchId)
        this.toldAtMs.set(watchId, performance.now())
        this.tell({ watchId, changeCount: count })
      },
      Math.max(gatherMs, restMs - restedMs),
    )
    this.gathered.set(watchId, { changeCount, timer })
  }

  dispose(): void {
    for (const { timer } of this.gathered.values()) clearTimeout(timer)
    this.gathered.clear()
  }
}
