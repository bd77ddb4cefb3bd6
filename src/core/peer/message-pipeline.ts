import { ByteWriter } from '../proto/byte-writer.ts'
import type { Message } from '../raft/message.ts'
import { handshakeTexts, requestHeaders } from './handshake.ts'
import { writeMessage } from './message-codec.ts'
import type { PeerAddresses } from './peer-addresses.ts'
import { type PeerContext, peerLimits } from './peer-context.ts'
import { dialPeer, PeerAgents } from './peer-dial.ts'
import { collectText } from './response-text.ts'

/** What the pipeline tells its peer. */
export interface PipelineEvents {
  delivered(): void
  failed(reason: string): void
}

/**
 * Messages one by one as POST requests: the way while a stream is not up, as before the first votes. Requests run side by
 * side, so order is not kept; Raft does not need it.
 */
export class MessagePipeline {
  private readonly context: PeerContext
  private readonly addresses: PeerAddresses
  private readonly events: PipelineEvents
  private readonly agents = new PeerAgents(peerLimits.pipelineRequestsMax)
  private readonly queue: Uint8Array[] = []
  private runningCount = 0
  private isDisposed = false

  constructor(context: PeerContext, addresses: PeerAddresses, events: PipelineEvents) {
    this.context = context
    this.addresses = addresses
    this.events = events
  }

  /** False when the queue is full. */
  add(message: Message): boolean {
    if (this.queue.length >= peerLimits.pipelineQueueMax) return false
    const writer = new ByteWriter(256)
    writeMessage(writer, message)
    this.queue.push(writer.copied())
    this.startNext()
    return true
  }

  dispose(): void {
    this.isDisposed = true
    this.queue.length = 0
    this.agents.destroy()
  }

  private startNext(): void {
    if (this.isDisposed || this.runningCount >= peerLimits.pipelineRequestsMax) return
    const body = this.queue.shift()
    if (body === undefined) return
    this.runningCount++
    this.post(body, (problem) => {
      this.runningCount--
      if (this.isDisposed) return
      if (problem === undefined) this.events.delivered()
      else this.events.failed(problem)
      this.startNext()
    })
  }

  /** `done` is called once, with what went wrong if anything did. */
  private post(body: Uint8Array, done: (problem: string | undefined) => void): void {
    const url = this.addresses.current()
    if (url === undefined) {
      this.context.clock.nextTurn(() => {
        done('the peer has no usable URL')
      })
      return
    }
    let isDone = false
    const finish = (problem: string | undefined): void => {
      if (isDone) return
      isDone = true
      timer.cancel()
      done(problem)
    }
    const posted = dialPeer(url, this.context.tls, {
      path: '/raft',
      method: 'POST',
      agent: this.agents.for(url),
      headers: {
        ...requestHeaders(this.context.identity),
        'Content-Type': 'application/protobuf',
        'Content-Length': body.length,
      },
    })
    const timer = this.context.clock.setTimer(peerLimits.pipelineTimeoutMs, () => {
      posted.destroy()
      finish('no answer in time')
    })
    posted.on('response', (response) => {
      collectText(response, (text) => {
        finish(this.judge(response.statusCode ?? 0, text))
      })
    })
    posted.on('error', (error) => {
      this.addresses.reportFailure(url)
      finish(error.message)
    })
    posted.on('close', () => {
      finish('the connection was closed')
    })
    posted.end(body)
  }

  private judge(status: number, text: string): string | undefined {
    if (status === 204 || status === 200) return undefined
    if (status === 410 || (status === 403 && text.includes(handshakeTexts.removedMember))) {
      this.context.reportSelfRemoved()
      return 'the peer says that this member was removed from the cluster'
    }
    return `the peer refused a message: ${status} ${text.trim()}`
  }
}
