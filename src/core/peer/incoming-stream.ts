import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Timer } from '../base/clock.ts'
import { hexId, type NodeId } from '../base/ids.ts'
import { MalformedMessage } from '../proto/byte-reader.ts'
import { handshakeTexts, requestHeaders } from './handshake.ts'
import type { PeerAddresses } from './peer-addresses.ts'
import { type PeerContext, peerLimits } from './peer-context.ts'
import { dialPeer } from './peer-dial.ts'
import { type StreamKind, streamDecoder } from './stream-codec.ts'

/** What the stream tells its peer. */
export interface IncomingStreamEvents {
  opened(): void
  closed(): void
  heard(): void
}

/**
 * A stream that we opened to hear from a peer. It dials again, after a short wait, as long as it is not disposed of.
 *
 * The side that wants to hear is the one that dials: so it alone decides when a connection is dead, and a member that comes
 * up is heard as soon as it listens.
 */
export class IncomingStream {
  /** So far. */
  receivedBytes = 0
  private readonly context: PeerContext
  private readonly peer: { readonly id: NodeId; readonly addresses: PeerAddresses }
  private readonly kind: StreamKind
  private readonly events: IncomingStreamEvents
  private request: ClientRequest | undefined
  private timer: Timer | undefined
  private isOpen = false
  private isDisposed = false
  private waitMs: number = peerLimits.dialWaitMs
  private lastProblem = ''

  constructor(
    context: PeerContext,
    peer: { readonly id: NodeId; readonly addresses: PeerAddresses },
    kind: StreamKind,
    events: IncomingStreamEvents,
  ) {
    this.context = context
    this.peer = peer
    this.kind = kind
    this.events = events
  }

  /** Dials now unless the stream is open or being dialled: the peer showed that it is up. */
  dial(): void {
    if (this.isDisposed || this.request !== undefined) return
    this.timer?.cancel()
    this.timer = undefined
    const url = this.peer.addresses.current()
    if (url === undefined) {
      this.dialLater()
      return
    }
    const { identity } = this.context
    const dialled = dialPeer(url, this.context.tls, {
      path: `/raft/stream/${this.kind}/${hexId(identity.nodeId)}`,
      headers: { ...requestHeaders(identity), 'X-Raft-To': hexId(this.peer.id) },
      // A connection of its own, for as long as it lasts.
      agent: false,
    })
    this.request = dialled
    dialled.setNoDelay(true)
    const timer = this.context.clock.setTimer(peerLimits.dialTimeoutMs, () => {
      this.peer.addresses.reportFailure(url)
      this.ended(dialled, 'no answer in time')
    })
    dialled.on('response', (response) => {
      timer.cancel()
      if (this.request === dialled) this.answered(dialled, response)
    })
    dialled.on('error', (error) => {
      timer.cancel()
      if (this.request !== dialled) return
      this.peer.addresses.reportFailure(url)
      this.ended(dialled, error.message)
    })
    dialled.on('close', () => {
      timer.cancel()
      this.ended(dialled, 'the connection was closed')
    })
    dialled.end()
  }

  dispose(): void {
    this.isDisposed = true
    this.timer?.cancel()
    const { request: dialled } = this
    this.request = undefined
    this.isOpen = false
    dialled?.destroy()
  }

  private answered(dialled: ClientRequest, response: IncomingMessage): void {
    if (response.statusCode !== 200) {
      this.refused(dialled, response)
      return
    }
    this.isOpen = true
    this.waitMs = peerLimits.dialWaitMs
    this.lastProblem = ''
    const ends = { local: this.context.identity.nodeId, remote: this.peer.id }
    const decoder = streamDecoder(this.kind, ends)
    const silence = this.watchForSilence(dialled)
    response.on('data', (chunk: Uint8Array) => {
      silence.heard()
      this.receivedBytes += chunk.length
      this.events.heard()
      try {
        decoder.take(chunk, (message) => {
          if (message !== 'linkHeartbeat') this.context.receive(message, this.peer.id)
        })
      } catch (error) {
        if (!(error instanceof MalformedMessage)) throw error
        this.ended(dialled, `the peer sent what is no message: ${error.message}`)
      }
    })
    response.on('error', () => {
      // The request reports it as well.
      dialled.destroy()
    })
    response.on('close', () => {
      silence.stop()
      this.ended(dialled, 'the connection was closed')
    })
    this.events.opened()
  }

  private refused(dialled: ClientRequest, response: IncomingMessage): void {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (piece: string) => {
      if (text.length < 1_000) text += piece
    })
    response.on('error', (error) => {
      this.ended(dialled, error.message)
    })
    response.on('end', () => {
      const reason = text.trim()
      if (response.statusCode === 410) {
        this.ended(dialled, 'the peer says that this member was removed from the cluster')
        this.context.reportSelfRemoved()
      } else {
        this.ended(dialled, `the peer refused the stream: ${response.statusCode ?? 0} ${reason}`)
        // A stranger under the peer's address may be replaced by the peer at any time; until then there is no hurry.
        if (reason === handshakeTexts.clusterIdMismatch) this.waitMs = peerLimits.dialWaitMsMax
      }
    })
  }

  /** Ends the connection when nothing was heard for the read timeout. */
  private watchForSilence(dialled: ClientRequest): { heard: () => void; stop: () => void } {
    const { clock } = this.context
    let lastHeardMs = clock.monotonicMs()
    let timer: Timer
    const check = (isJudging: boolean): void => {
      const silentMs = clock.monotonicMs() - lastHeardMs
      if (silentMs < peerLimits.readTimeoutMs) {
        timer = clock.setTimer(peerLimits.readTimeoutMs - silentMs, onTimer)
      } else if (isJudging) {
        this.ended(dialled, `nothing was heard for ${peerLimits.readTimeoutMs} ms`)
      } else {
        // It may be us who were asleep: what is waiting in the socket is read first.
        clock.nextTurn(() => {
          if (this.request === dialled) check(true)
        })
      }
    }
    const onTimer = (): void => {
      check(false)
    }
    timer = clock.setTimer(peerLimits.readTimeoutMs, onTimer)
    return {
      heard: () => {
        lastHeardMs = clock.monotonicMs()
      },
      stop: () => {
        timer.cancel()
      },
    }
  }

  private ended(dialled: ClientRequest, problem: string): void {
    if (this.request !== dialled) return
    this.request = undefined
    const wasOpen = this.isOpen
    this.isOpen = false
    dialled.destroy()
    if (problem !== this.lastProblem) {
      this.lastProblem = problem
      const fields = { peer: hexId(this.peer.id), stream: this.kind, reason: problem }
      this.context.logger.warn(wasOpen ? 'lost stream from peer' : 'cannot reach peer', fields)
    }
    if (wasOpen) this.events.closed()
    this.dialLater()
  }

  private dialLater(): void {
    if (this.isDisposed) return
    this.timer?.cancel()
    this.timer = this.context.clock.setTimer(this.waitMs, () => {
      this.timer = undefined
      this.dial()
    })
    this.waitMs = Math.min(peerLimits.dialWaitMsMax, this.waitMs * 1.5)
  }
}
