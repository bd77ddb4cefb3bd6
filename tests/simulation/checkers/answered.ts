import type { Report } from './checker.ts'

/** A request that a node has taken. */
export interface OpenRequest {
  readonly description: string
  readonly node: string
  readonly startUs: number
}

/** Virtual microseconds that a request may take beyond its limit. */
const graceUs = 1_000_000

/** I38: every request is answered or failed within its time limit and a second; nothing hangs for ever. */
export class Answered {
  private readonly open = new Map<number, OpenRequest>()
  private readonly report: Report
  private readonly limitUs: number
  private readonly isPaused: (node: string) => boolean

  /** @param isPaused  whether a node's program stands still now, so that its time does not count */
  constructor(limitUs: number, isPaused: (node: string) => boolean, report: Report) {
    this.limitUs = limitUs
    this.isPaused = isPaused
    this.report = report
  }

  begin(id: number, request: OpenRequest): void {
    this.open.set(id, request)
  }

  /** Answered, failed, or its node died or was paused. */
  end(id: number): void {
    this.open.delete(id)
  }

  /** Looks at everything that is still open. */
  check(nowUs: number): void {
    for (const [id, request] of this.open) {
      if (this.isPaused(request.node)) {
        this.open.set(id, { ...request, startUs: nowUs })
        continue
      }
      if (nowUs - request.startUs > this.limitUs + graceUs) {
        this.report(
          'I38 answered',
          `${request.node} has not answered ${request.description} for ${(nowUs - request.startUs) / 1_000_000} s`,
        )
        return
      }
    }
  }
}
