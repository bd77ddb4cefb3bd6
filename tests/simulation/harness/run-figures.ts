/** Sums over many runs: what happened in them, and how fast they went. */
import type { RunResult } from './simulate.ts'

export class RunFigures {
  private runCount = 0
  private virtualUs = 0
  private eventCount = 0
  private operationCount = 0
  private acknowledgedCount = 0
  private watchEventCount = 0
  private committedCount = 0
  private readonly injected = new Map<string, number>()
  private readonly startMs = performance.now()

  add(result: RunResult): void {
    this.runCount += 1
    this.virtualUs += result.virtualUs
    this.eventCount += result.eventCount
    this.operationCount += result.operationCount
    this.acknowledgedCount += result.acknowledgedCount
    this.watchEventCount += result.watchEventCount
    this.committedCount += result.committedCount
    for (const [name, count] of result.injected)
      this.injected.set(name, (this.injected.get(name) ?? 0) + count)
  }

  /** One paragraph. */
  describe(firstSeed: number): string {
    const seconds = (performance.now() - this.startMs) / 1_000
    const virtualSeconds = this.virtualUs / 1_000_000
    const faults = [...this.injected]
      .sort()
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')
    return [
      `simulation: ${this.runCount} runs from seed ${firstSeed} in ${seconds.toFixed(1)} s`,
      `(${((this.runCount * 60) / seconds).toFixed(0)} runs a minute, ${(virtualSeconds / seconds).toFixed(0)} virtual seconds a second)`,
      `${this.eventCount} events, ${this.operationCount} operations, ${this.acknowledgedCount} answered,`,
      `${this.watchEventCount} watch events, ${this.committedCount} entries committed; ${faults}`,
    ].join(' ')
  }
}
