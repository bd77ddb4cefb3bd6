/** Calls of one request and one answer, through the gateway. */
import type { DescMessage } from '@bufbuild/protobuf'
import type { Clock } from '../../base/clock.ts'
import { grpcStatusNumbers } from '../../errors/error-table.ts'
import { sendAnswer, type HttpExchange } from '../http-exchange.ts'
import type { MethodCounts } from '../metrics/call-counts.ts'
import type { UnaryExchange } from '../rpc-call.ts'
import { statusOfError, type RpcStatus } from '../status-mapping.ts'
import { GatewayContext } from './gateway-context.ts'
import { calledHeaders, jsonContentType, sendFailure } from './gateway-errors.ts'
import { jsonOfMessage } from './json-messages.ts'

/** Flags and length before the message of a frame. */
const prefixSizeBytes = 5

export interface GatewayUnaryOptions {
  readonly clock: Clock
  readonly responseType: DescMessage
  readonly counts: MethodCounts
  /** Told of every error that a call ends with. */
  readonly reportFailure: (error: unknown) => void
}

/** One call, as its method sees it. */
export class GatewayUnaryCall extends GatewayContext implements UnaryExchange {
  /** Resolves when it was answered, or there is nobody to answer any more. */
  readonly answered: Promise<void>
  private readonly options: GatewayUnaryOptions
  private readonly beganAtMs: number
  private tellAnswered: () => void = () => undefined
  private isDecided = false

  /** @throws WireError  see {@link GatewayContext} */
  constructor(exchange: HttpExchange, options: GatewayUnaryOptions) {
    super(exchange, options.clock)
    this.options = options
    this.beganAtMs = options.counts.begin()
    options.counts.receivedMessageCount++
    this.answered = new Promise((resolve) => {
      this.tellAnswered = resolve
    })
  }

  succeed(frame: Uint8Array): void {
    if (this.isDecided) return
    let body: string
    try {
      body = jsonOfMessage(this.options.responseType, frame.subarray(prefixSizeBytes))
    } catch (error) {
      this.fail(error)
      return
    }
    this.options.counts.sentMessageCount++
    this.decide(grpcStatusNumbers.ok)
    sendAnswer(this.exchange, {
      status: 200,
      body,
      contentType: jsonContentType,
      headers: calledHeaders,
    })
    this.tellAnswered()
  }

  fail(error: unknown): void {
    this.options.reportFailure(error)
    this.refuse(statusOfError(error))
  }

  protected endedEarly(status: RpcStatus): void {
    this.refuse(status)
  }

  private refuse(status: RpcStatus): void {
    if (this.isDecided) return
    this.decide(status.code)
    if (!this.exchange.signal.aborted) sendFailure(this.exchange, status)
    this.tellAnswered()
  }

  private decide(code: number): void {
    this.options.counts.countEnd(code, this.beganAtMs)
    this.isDecided = true
    this.release()
  }
}
