/** What calls through the gateway have in common: metadata out of HTTP headers, a deadline, and an end when the client goes. */
import type { CancelListener } from '../../base/cancellation.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { AuthInfo } from '../../node/node-surface.ts'
import { parseGrpcTimeoutMs } from '../call-route.ts'
import { deadlineMsMax } from '../call-host.ts'
import type { HttpExchange } from '../http-exchange.ts'
import type { CallContext, ClientIdentity } from '../rpc-call.ts'
import { WireError, type RpcStatus } from '../status-mapping.ts'

/** Metadata with this prefix holds the HTTP headers of the same name. */
const headerPrefix = 'grpcgateway-'
/** Headers with this prefix become metadata without it. */
const metadataPrefix = 'grpc-metadata-'
const clientGone: RpcStatus = { code: 1, message: 'context canceled' }
const deadlinePassed: RpcStatus = { code: 4, message: 'context deadline exceeded' }

/** One call's surroundings. */
export abstract class GatewayContext implements CallContext {
  readonly client: ClientIdentity
  requester: AuthInfo | undefined
  protected readonly exchange: HttpExchange
  private readonly abort = (): void => {
    this.endEarly(clientGone)
  }
  private listener: CancelListener | undefined
  private hasBeenCanceled = false
  private deadline: Timer | undefined

  /** @throws WireError  the time that is allowed cannot be read */
  constructor(exchange: HttpExchange, clock: Clock) {
    this.exchange = exchange
    // A certificate's name does not count here: etcd's gateway shows its own certificate.
    this.client = { isSecure: exchange.client.isSecure, commonName: undefined }
    const timeoutMs = timeoutMsOf(exchange)
    exchange.signal.addEventListener('abort', this.abort, { once: true })
    if (timeoutMs === undefined || timeoutMs > deadlineMsMax) return
    this.deadline = clock.setTimer(timeoutMs, () => {
      this.endEarly(deadlinePassed)
    })
  }

  findMetadata(key: string): string | undefined {
    const { exchange } = this
    if (key.startsWith(headerPrefix)) return exchange.findHeader(key.slice(headerPrefix.length))
    if (key === 'authorization') {
      return exchange.findHeader(key) ?? exchange.findHeader(metadataPrefix + key)
    }
    return exchange.findHeader(metadataPrefix + key)
  }

  get isCanceled(): boolean {
    return this.hasBeenCanceled
  }

  setCancelListener(listener: CancelListener | undefined): void {
    this.listener = listener
  }

  /** Called once when the client has gone or the time that it allowed has passed. */
  protected abstract endedEarly(status: RpcStatus): void

  /** The call is decided: nothing can end it early any more. */
  release(): void {
    this.deadline?.cancel()
    this.deadline = undefined
    this.exchange.signal.removeEventListener('abort', this.abort)
  }

  private endEarly(status: RpcStatus): void {
    if (this.hasBeenCanceled) return
    this.hasBeenCanceled = true
    this.release()
    const { listener } = this
    this.listener = undefined
    this.endedEarly(status)
    listener?.canceled()
  }
}

function timeoutMsOf(exchange: HttpExchange): number | undefined {
  const text = exchange.findHeader('grpc-timeout')
  if (text === undefined) return undefined
  const timeoutMs = parseGrpcTimeoutMs(text)
  if (timeoutMs === undefined) {
    throw new WireError('invalidArgument', `invalid grpc-timeout: ${text}`)
  }
  return timeoutMs
}
