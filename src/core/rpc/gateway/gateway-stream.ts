/**
 * Calls that stay open, through the gateway: a row of JSON objects in, `{"result":…}` lines out, an `{"error":…}` line at
 * the end where there is a reason.
 *
 * HTTP has no way to end a call with a status once its answer has begun, which is why the error is a line of its own; before
 * the first result it has the HTTP status too.
 */
import type { DescMessage } from '@bufbuild/protobuf'
import type { Clock } from '../../base/clock.ts'
import type { HttpExchange } from '../http-exchange.ts'
import { MessageReader } from '../message-reader.ts'
import type { MethodCounts } from '../metrics/call-counts.ts'
import type { StreamCall } from '../rpc-call.ts'
import { statusOfError, WireError, type RpcStatus } from '../status-mapping.ts'
import { GatewayContext } from './gateway-context.ts'
import { calledHeaders, errorObjectOf, httpStatusOf, jsonContentType } from './gateway-errors.ts'
import { jsonOfMessage } from './json-messages.ts'
import type { RequestSource } from './request-source.ts'

export interface GatewayStreamOptions {
  readonly clock: Clock
  readonly responseType: DescMessage
  readonly counts: MethodCounts
  readonly requests: RequestSource
}

/** One call, as its method sees it. */
export class GatewayStreamCall extends GatewayContext implements StreamCall {
  /** Resolves when the call has ended. */
  readonly ended: Promise<void>
  private readonly options: GatewayStreamOptions
  private readonly beganAtMs: number
  private tellEnded: () => void = () => undefined
  /** Answers come in pieces that need not be whole messages. */
  private readonly frames = new MessageReader({
    messageSizeBytesMax: Number.MAX_SAFE_INTEGER,
    encoding: 'identity',
  })
  private readonly lines: Buffer[] = []
  private waitingBytes = 0
  private isBlocked = false
  /** Resolves when nothing waits any more. */
  private draining: Promise<void> = Promise.resolve()
  private hasBegun = false
  private isDecided = false
  private isReading = true
  private wakeReading: (() => void) | undefined
  private drainListener: (() => void) | undefined
  private endListeners: (() => void)[] = []

  /** @throws WireError  see {@link GatewayContext} */
  constructor(exchange: HttpExchange, options: GatewayStreamOptions) {
    super(exchange, options.clock)
    this.options = options
    this.beganAtMs = options.counts.begin()
    this.ended = new Promise((resolve) => {
      this.tellEnded = resolve
    })
  }

  get hasEnded(): boolean {
    return this.isDecided
  }

  get queuedBytes(): number {
    return this.waitingBytes
  }

  onDrain(listener: () => void): void {
    this.drainListener = listener
  }

  onEnd(listener: () => void): void {
    this.endListeners.push(listener)
  }

  read(onMessage: (message: Uint8Array) => void, onHalfClose: () => void): void {
    void this.deliver(onMessage, onHalfClose)
  }

  setReading(isReading: boolean): void {
    this.isReading = isReading
    if (isReading) this.wake()
  }

  send(frame: Uint8Array): void {
    if (this.isDecided) return
    this.frames.push(frame)
    for (;;) {
      const message = this.frames.next()
      if (message === undefined) return
      this.begin(200)
      this.options.counts.sentMessageCount++
      this.writeLine(`{"result":${jsonOfMessage(this.options.responseType, message)}}\n`)
    }
  }

  end(status: RpcStatus): void {
    if (this.isDecided) return
    this.isDecided = true
    this.options.counts.countEnd(status.code, this.beganAtMs)
    this.release()
    this.wake()
    for (const listener of this.endListeners.splice(0)) listener()
    if (!this.exchange.signal.aborted) {
      if (status.code === 0) {
        // Without any result etcd's answer says nothing, not even what it is made of.
        if (!this.hasBegun) this.exchange.begin(200, {})
      } else {
        this.begin(httpStatusOf(status))
        this.writeLine(`${JSON.stringify({ error: errorObjectOf(status) })}\n`)
      }
    }
    void this.finish()
  }

  protected endedEarly(status: RpcStatus): void {
    this.end(status)
  }

  private begin(httpStatus: number): void {
    if (this.hasBegun) return
    this.hasBegun = true
    this.exchange.begin(httpStatus, { ...calledHeaders, 'content-type': jsonContentType })
  }

  private writeLine(text: string): void {
    const line = Buffer.from(text)
    if (this.isBlocked) {
      this.lines.push(line)
      this.waitingBytes += line.length
      return
    }
    if (this.exchange.write(line)) return
    this.isBlocked = true
    this.waitingBytes = line.length
    this.draining = this.drain()
  }

  /** Writes what waits, as fast as the client takes it. */
  private async drain(): Promise<void> {
    let written = this.waitingBytes
    while (this.isBlocked) {
      await this.exchange.drained()
      this.waitingBytes -= written
      written = 0
      this.isBlocked = false
      while (this.lines.length > 0 && !this.isBlocked) {
        const line = this.lines.shift() ?? Buffer.alloc(0)
        written += line.length
        this.isBlocked = !this.exchange.write(line) && !this.exchange.signal.aborted
      }
      if (!this.isBlocked) this.waitingBytes = 0
    }
    if (!this.isDecided) this.drainListener?.()
  }

  private async finish(): Promise<void> {
    await this.draining
    this.exchange.end()
    this.tellEnded()
  }

  /** Hands on the client's requests until one of the two sides has had enough. */
  private async deliver(
    onMessage: (message: Uint8Array) => void,
    onHalfClose: () => void,
  ): Promise<void> {
    while (await this.isOpenForReading()) {
      const message = await this.nextRequest()
      // It may have been waited for, and reading be stopped meanwhile.
      if (!(await this.isOpenForReading())) return
      if (message === undefined) {
        onHalfClose()
        return
      }
      this.options.counts.receivedMessageCount++
      onMessage(message)
    }
  }

  /** Undefined when there are no more, or the call has ended. */
  private async nextRequest(): Promise<Uint8Array | undefined> {
    try {
      return await this.options.requests.next()
    } catch (error) {
      // A client that writes nonsense is told so as long as there is a way to tell; later it has only stopped asking.
      if (!this.hasBegun || !(error instanceof WireError)) this.end(statusOfError(error))
      void this.options.requests.drain()
      return undefined
    }
  }

  /** Waits while reading is stopped. @returns false when the call has ended */
  private async isOpenForReading(): Promise<boolean> {
    while (!this.isReading && !this.isDecided) {
      await new Promise<void>((resolve) => {
        this.wakeReading = resolve
      })
    }
    return !this.isDecided
  }

  private wake(): void {
    this.wakeReading?.()
    this.wakeReading = undefined
  }
}
