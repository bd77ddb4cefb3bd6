/**
 * The JSON gateway: every call of the client port as a POST, for whoever has no gRPC.
 *
 * It finds the method in the same table as gRPC does, behind the same guards, and only translates.
 *
 * @see etcd v3 API, "JSON gateway"
 */
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { StoreError } from '../../errors/store-error.ts'
import { errorAnswer, type HttpAnswer, type HttpExchange } from '../http-exchange.ts'
import type { HttpRoute } from '../http-router.ts'
import type { CallCounts } from '../metrics/call-counts.ts'
import type {
  CallContext,
  ClientIdentity,
  RpcMethod,
  ServiceTable,
  StreamCall,
  StreamMethod,
  UnaryMethod,
} from '../rpc-call.ts'
import { isFatal, statusOfError, WireError } from '../status-mapping.ts'
import { sendFailure } from './gateway-errors.ts'
import { gatewayRoutes, type GatewayRoute } from './gateway-routes.ts'
import { GatewayStreamCall } from './gateway-stream.ts'
import { GatewayUnaryCall } from './gateway-unary.ts'
import { describeMessage } from './json-messages.ts'
import { RequestSource } from './request-source.ts'

export interface GatewayOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly services: ServiceTable
  readonly counts: CallCounts
  /** Decides before a call reaches its method; the error it throws is the answer. */
  readonly admit: (call: CallContext, isServedByLearner: () => boolean) => void
  /** Told of every stream that was admitted. */
  readonly onStreamAdmitted: (call: StreamCall) => void
  /** Largest message taken, in bytes. */
  readonly messageSizeBytesMax: number
  /** Whether calls have to say who makes them. */
  readonly isAuthEnabled: () => boolean
  /** Called with a bug or a storage fault that surfaced in a call. */
  readonly onFatal: (error: unknown) => void
}

/** Calls are found below this; the others are older names for it. */
const prefix = '/v3/'
const prefixes = [prefix, '/v3beta/'] as const
const commonNameText =
  'CommonName of client sending a request against gateway will be ignored and not used as expected'

/** The gateway as routes of the client port. */
export function gatewayHttpRoutes(options: GatewayOptions): readonly HttpRoute[] {
  const gateway = new Gateway(options)
  return prefixes.map((path) => ({
    path,
    takesWebSocket: true,
    refuse: ({ client }) => gateway.refuse(client),
    handle: (exchange) => gateway.serve(exchange, prefix + exchange.path.slice(path.length)),
  }))
}

class Gateway {
  private readonly options: GatewayOptions

  constructor(options: GatewayOptions) {
    this.options = options
  }

  /** The answer to a client whose certificate names a user. */
  refuse({ commonName = '' }: ClientIdentity): HttpAnswer | undefined {
    if (commonName === '' || !this.options.isAuthEnabled()) return undefined
    return errorAnswer(400, `${commonNameText}\n`)
  }

  /** @param path  below {@link prefix}, whatever name was used */
  async serve(exchange: HttpExchange, path: string): Promise<void> {
    const route = gatewayRoutes.get(path)
    if (route === undefined) {
      sendFailure(exchange, statusOfError(new WireError('notFound', 'Not Found')))
      return
    }
    if (exchange.method !== 'POST') {
      sendFailure(exchange, statusOfError(new WireError('unimplemented', 'Method Not Allowed')))
      return
    }
    const requests = new RequestSource(
      exchange,
      describeMessage(route.requestType),
      this.options.messageSizeBytesMax,
    )
    try {
      const method = this.methodOf(route)
      if (method.kind === 'unary') await this.serveUnary(exchange, { route, method, requests })
      else await this.serveStream(exchange, { route, method, requests })
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      // Thrown before the call began: whatever fails later is answered by the call.
      void requests.drain()
      sendFailure(exchange, error.status)
    }
  }

  /** @throws WireError  with grpc-go's text */
  private methodOf({ service, method: name }: GatewayRoute): RpcMethod {
    const method = this.options.services.get(service)?.get(name)
    if (method !== undefined) return method
    throw new WireError('unimplemented', `unknown method ${name} for service ${service}`)
  }

  private async serveUnary(
    exchange: HttpExchange,
    called: { route: GatewayRoute; method: UnaryMethod; requests: RequestSource },
  ): Promise<void> {
    const { route, method, requests } = called
    // Nothing at all is a message without fields.
    const message = (await requests.next()) ?? new Uint8Array(0)
    // What follows the first value is not looked at.
    void requests.drain()
    if (exchange.signal.aborted) return
    const call = new GatewayUnaryCall(exchange, {
      clock: this.options.clock,
      responseType: describeMessage(route.responseType),
      counts: this.options.counts.of(`/${route.service}/${route.method}`),
      reportFailure: (error) => {
        this.reportFailure(error)
      },
    })
    try {
      this.options.admit(call, () => method.isServedByLearner(message))
      method.handle(message, call)
    } catch (error) {
      call.fail(error)
    }
    await call.answered
  }

  private async serveStream(
    exchange: HttpExchange,
    called: { route: GatewayRoute; method: StreamMethod; requests: RequestSource },
  ): Promise<void> {
    const { route, method, requests } = called
    if (exchange.signal.aborted) return
    const call = new GatewayStreamCall(exchange, {
      clock: this.options.clock,
      responseType: describeMessage(route.responseType),
      counts: this.options.counts.of(`/${route.service}/${route.method}`),
      requests,
    })
    try {
      this.options.admit(call, () => method.isServedByLearner)
      this.options.onStreamAdmitted(call)
      method.handle(call)
    } catch (error) {
      this.reportFailure(error)
      call.end(statusOfError(error))
    }
    await call.ended
  }

  private reportFailure(error: unknown): void {
    if (isFatal(error)) this.options.onFatal(error)
    else if (!(error instanceof StoreError) && !(error instanceof WireError)) {
      this.options.logger.error('call failed unexpectedly', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
  }
}
