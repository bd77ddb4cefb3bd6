import { doublingSeconds, TimeHistogram } from '../base/time-histogram.ts'
import type { Timer } from '../base/clock.ts'
import { hexId, type NodeId } from '../base/ids.ts'
import type { PeerAddresses } from './peer-addresses.ts'
import { type PeerContext, peerLimits } from './peer-context.ts'
import { dialPeer } from './peer-dial.ts'
import { collectText } from './response-text.ts'

/** Asks a peer for its time every few seconds: how long the way is, and how far the clocks are apart. */
export class PeerProber {
  private readonly context: PeerContext
  private readonly peer: { readonly id: NodeId; readonly addresses: PeerAddresses }
  private timer: Timer | undefined
  private isDisposed = false
  private isClockWarned = false
  /** Of all answers. Buckets are those of etcd's metric. */
  readonly roundTripTimes = new TimeHistogram(doublingSeconds(0.0001, 16))
  /** Of the last answer; undefined before the first one and while the peer does not answer. */
  roundTripMs: number | undefined

  constructor(
    context: PeerContext,
    peer: { readonly id: NodeId; readonly addresses: PeerAddresses },
  ) {
    this.context = context
    this.peer = peer
    this.schedule()
  }

  dispose(): void {
    this.isDisposed = true
    this.timer?.cancel()
  }

  private schedule(): void {
    if (this.isDisposed) return
    this.timer = this.context.clock.setTimer(peerLimits.probeIntervalMs, () => {
      this.probe()
    })
  }

  private probe(): void {
    const url = this.peer.addresses.current()
    if (url === undefined) {
      this.schedule()
      return
    }
    const { clock } = this.context
    const startMs = clock.monotonicMs()
    const asked = dialPeer(url, this.context.tls, { path: '/raft/probing', agent: false })
    asked.end()
    let isDone = false
    const finish = (roundTripMs: number | undefined): void => {
      if (isDone) return
      isDone = true
      timer.cancel()
      this.roundTripMs = roundTripMs
      this.schedule()
    }
    const timer = clock.setTimer(peerLimits.probeIntervalMs, () => {
      asked.destroy()
      finish(undefined)
    })
    asked.on('response', (response) => {
      collectText(response, (text) => {
        const roundTripMs = clock.monotonicMs() - startMs
        if (response.statusCode === 200) this.judgeClock(text, roundTripMs)
        if (response.statusCode === 200) this.roundTripTimes.recordMs(roundTripMs)
        finish(response.statusCode === 200 ? roundTripMs : undefined)
      })
    })
    // The streams tell of an unreachable peer; a failed probe is only the absence of a measurement.
    asked.on('error', () => {
      finish(undefined)
    })
    asked.on('close', () => {
      finish(this.roundTripMs)
    })
  }

  private judgeClock(answer: string, roundTripMs: number): void {
    const peerTimeMs = Date.parse(/"Now":"([^"]+)"/.exec(answer)?.[1] ?? '')
    if (Number.isNaN(peerTimeMs)) return
    const differenceMs = Math.round(peerTimeMs + roundTripMs / 2 - this.context.clock.wallMs())
    const isApart = Math.abs(differenceMs) > peerLimits.clockDifferenceMs
    if (isApart && !this.isClockWarned) {
      const fields = { peer: hexId(this.peer.id), differenceMs, roundTripMs }
      this.context.logger.warn('the clock of a peer differs', fields)
    }
    this.isClockWarned = isApart
  }
}
