import type { StreamCall } from './rpc-call.ts'

/** Lets whoever sends a long answer wait while too much of it is queued for a slow client. */
export class StreamRoom {
  private readonly call: StreamCall
  private readonly queuedSizeBytesMax: number
  private resume: (() => void) | undefined

  constructor(call: StreamCall, queuedSizeBytesMax: number) {
    this.call = call
    this.queuedSizeBytesMax = queuedSizeBytesMax
    const wake = (): void => {
      this.resume?.()
      this.resume = undefined
    }
    call.onDrain(wake)
    call.onEnd(wake)
  }

  /** Resolves when there is room, or the call has ended. */
  async wait(): Promise<void> {
    if (this.call.hasEnded || this.call.queuedBytes < this.queuedSizeBytesMax) return
    await new Promise<void>((resolve) => {
      this.resume = resolve
    })
  }
}
