/**
 * What a request's head asks for: which method, by when, in which encoding; or why it cannot be had.
 *
 * Clients send the same head over and over, and the codec below hands out the same object for it. So it is looked at
 * once, and what was found stays with it.
 */
import type { CallCounts, MethodCounts } from './metrics/call-counts.ts'
import type { RequestHead } from './http2/request-head.ts'
import type { RpcMethod, ServiceTable, StreamMethod, UnaryMethod } from './rpc-call.ts'
import { statusOfError, WireError, type RpcStatus } from './status-mapping.ts'

/** What calls of a kind have in common. */
export interface CallForm {
  /** Messages may come, and answers go, compressed. */
  readonly isGzip: boolean
  /** Time that the caller allows; undefined: any. */
  readonly timeoutMs: number | undefined
}

/** Where a request leads. */
export type CallRoute =
  | {
      readonly kind: 'unary'
      readonly form: CallForm
      readonly method: UnaryMethod
      readonly counts: MethodCounts
    }
  | {
      readonly kind: 'stream'
      readonly form: CallForm
      readonly method: StreamMethod
      readonly counts: MethodCounts
    }
  /** It is gRPC, and is answered with this status. */
  | { readonly kind: 'unserved'; readonly error: WireError }
  /** It is gRPC, and wrong as HTTP. */
  | { readonly kind: 'malformed'; readonly httpStatus: number; readonly status: RpcStatus }
  /** It is something else; the status is for clients that believe otherwise. */
  | { readonly kind: 'notGrpc'; readonly httpStatus: number; readonly status: RpcStatus }

/** The routes of one server. */
export class CallRoutes {
  private readonly services: ServiceTable
  private readonly counts: CallCounts
  private readonly routes = new WeakMap<RequestHead, CallRoute>()
  private latestHead: RequestHead | undefined
  private latestRoute: CallRoute | undefined

  constructor(services: ServiceTable, counts: CallCounts) {
    this.services = services
    this.counts = counts
  }

  routeOf(head: RequestHead): CallRoute {
    if (head === this.latestHead && this.latestRoute !== undefined) return this.latestRoute
    let route = this.routes.get(head)
    if (route === undefined) {
      route = findRoute(this.services, this.counts, head)
      this.routes.set(head, route)
    }
    this.latestHead = head
    this.latestRoute = route
    return route
  }
}

function findRoute(services: ServiceTable, callCounts: CallCounts, head: RequestHead): CallRoute {
  const contentType = head.fields.get('content-type') ?? ''
  if (!isGrpcContentType(contentType)) {
    const error = new WireError(
      'invalidArgument',
      `invalid gRPC request content-type "${contentType}"`,
    )
    return { kind: 'notGrpc', httpStatus: 415, status: statusOfError(error) }
  }
  const timeout = head.fields.get('grpc-timeout')
  const timeoutMs = timeout === undefined ? undefined : parseGrpcTimeoutMs(timeout)
  if (timeout !== undefined && timeoutMs === undefined) {
    const error = new WireError('internal', `malformed grpc-timeout: ${timeout}`)
    return { kind: 'malformed', httpStatus: 400, status: statusOfError(error) }
  }
  try {
    const method = findMethod(services, head.path)
    const form: CallForm = { isGzip: isGzipEncoding(head), timeoutMs }
    const counts = callCounts.of(head.path)
    return method.kind === 'unary'
      ? { kind: 'unary', form, method, counts }
      : { kind: 'stream', form, method, counts }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return { kind: 'unserved', error }
  }
}

/** @throws WireError  an encoding that is not known */
function isGzipEncoding(head: RequestHead): boolean {
  const encoding = head.fields.get('grpc-encoding') ?? 'identity'
  if (encoding === 'identity' || encoding === 'gzip') return encoding === 'gzip'
  throw new WireError(
    'unimplemented',
    `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`,
  )
}

/**
 * The method behind `/package.Service/Method`.
 * @throws WireError  with grpc-go's texts
 */
function findMethod(services: ServiceTable, path: string): RpcMethod {
  const separator = path.lastIndexOf('/')
  if (!path.startsWith('/') || separator === 0) {
    throw new WireError('unimplemented', `malformed method name: "${path}"`)
  }
  const serviceName = path.slice(1, separator)
  const methodName = path.slice(separator + 1)
  const service = services.get(serviceName)
  if (service === undefined) {
    throw new WireError('unimplemented', `unknown service ${serviceName}`)
  }
  const method = service.get(methodName)
  if (method === undefined) {
    throw new WireError('unimplemented', `unknown method ${methodName} for service ${serviceName}`)
  }
  return method
}

function isGrpcContentType(contentType: string): boolean {
  if (!contentType.startsWith('application/grpc')) return false
  const rest = contentType.charAt('application/grpc'.length)
  return rest === '' || rest === '+' || rest === ';'
}

/** Units of a `grpc-timeout`, in milliseconds. */
const timeoutUnitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
}

/**
 * Milliseconds of a `grpc-timeout` value; undefined when it is malformed.
 * @see gRPC over HTTP/2: at most eight digits and a unit
 */
export function parseGrpcTimeoutMs(value: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value)
  if (match === null) return undefined
  return Number(match[1]) * (timeoutUnitsMs[match[2] ?? ''] ?? 0)
}
