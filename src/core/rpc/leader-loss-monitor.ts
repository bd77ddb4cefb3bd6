/** Ends the streams whose callers asked for a leader, once there has been none for a while. */
import type { Clock, Timer } from '../base/clock.ts'
import { noNode, type NodeId } from '../base/ids.ts'
import { StoreError } from '../errors/store-error.ts'
import type { StreamCall } from './rpc-call.ts'
import { statusOfError } from './status-mapping.ts'

/** Looks in a row that found no leader before streams are ended; an ordinary election is shorter. */
const missedLooksMax = 3

/** Looks once per election timeout, and only while there are streams to end. */
export class LeaderLossMonitor {
  private readonly clock: Clock
  private readonly source: { readonly leaderId: NodeId }
  private readonly electionMs: number
  private readonly calls = new Set<StreamCall>()
  private missedLooks = 0
  private timer: Timer | undefined

  constructor(clock: Clock, source: { readonly leaderId: NodeId }, electionMs: number) {
    this.clock = clock
    this.source = source
    this.electionMs = electionMs
  }

  /** Watches over a call; the returned function lets go of it. */
  add(call: StreamCall): () => void {
    this.calls.add(call)
    if (this.timer === undefined) {
      this.missedLooks = 0
      this.arm()
    }
    return () => {
      this.calls.delete(call)
    }
  }

  /** Stops looking. */
  dispose(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.calls.clear()
  }

  private arm(): void {
    this.timer = this.clock.setTimer(this.electionMs, () => {
      this.timer = undefined
      this.look()
      if (this.calls.size > 0) this.arm()
    })
  }

  private look(): void {
    this.missedLooks = this.source.leaderId === noNode ? this.missedLooks + 1 : 0
    if (this.missedLooks < missedLooksMax) return
    const status = statusOfError(new StoreError('noLeader'))
    for (const call of this.calls) call.end(status)
    this.calls.clear()
  }
}
