/**
 * The table of everything that the client port answers over HTTP, beside gRPC.
 *
 * Before a route gets a request, the rules that hold for all are applied, in etcd's order: the host asked for, the headers
 * that let pages of other origins in, and the answer to OPTIONS.
 *
 * @see etcd v3 API, "HTTP"
 */
import type { Logger } from '../base/logger.ts'
import {
  BodyTooLarge,
  errorAnswer,
  notFoundAnswer,
  plainText,
  sendAnswer,
  type HttpAnswer,
  type HttpExchange,
} from './http-exchange.ts'
import { isFatal } from './status-mapping.ts'

/** What is known of a request before it is an exchange. */
export type RequestHead = Pick<HttpExchange, 'method' | 'path' | 'host' | 'client'>

/** What answers under one path. */
export interface HttpRoute {
  /** The whole path; when it ends with a slash, everything below it too. The longest that fits is taken. */
  readonly path: string
  /** Methods it takes; others get 405. All, when absent. */
  readonly methods?: readonly string[]
  /** It answers over WebSocket, too. */
  readonly takesWebSocket?: boolean
  /** The answer to whoever it does not serve at all. */
  refuse?(request: RequestHead): HttpAnswer | undefined
  /** Answers, at once or later. An error that it throws is answered with 500 and its text. */
  handle(exchange: HttpExchange): void | Promise<void>
}

export interface HttpRouterOptions {
  readonly logger: Logger
  /** Origins of pages that may use the port; `*` stands for all. */
  readonly allowedOrigins: readonly string[]
  /** Host names that requests without TLS may ask for; `*` stands for all. */
  readonly allowedHosts: readonly string[]
  /** Called with a bug or a storage fault that surfaced in a request. */
  readonly onFatal: (error: unknown) => void
}

/** Finds the route of a request and applies the common rules. */
export class HttpRouter {
  private readonly exact = new Map<string, HttpRoute>()
  /** The longest first. */
  private readonly prefixes: HttpRoute[] = []
  private readonly options: HttpRouterOptions

  constructor(routes: readonly HttpRoute[], options: HttpRouterOptions) {
    this.options = options
    for (const route of routes) this.add(route)
  }

  /** Adds a route; one with the same path is replaced. */
  add(route: HttpRoute): void {
    if (!route.path.endsWith('/')) {
      this.exact.set(route.path, route)
      return
    }
    const position = this.prefixes.findIndex(({ path }) => path === route.path)
    if (position >= 0) this.prefixes.splice(position, 1)
    this.prefixes.push(route)
    this.prefixes.sort((left, right) => right.path.length - left.path.length)
  }

  /** The route of a path, if there is one. */
  find(path: string): HttpRoute | undefined {
    return this.exact.get(path) ?? this.prefixes.find((route) => path.startsWith(route.path))
  }

  /** Whether a request to go on over WebSocket is granted. If not, it is answered as one without that wish. */
  takesWebSocket(head: RequestHead): boolean {
    if (this.refusedHostOf(head) !== undefined || head.method === 'OPTIONS') return false
    const route = this.find(head.path)
    return route?.takesWebSocket === true && route.refuse?.(head) === undefined
  }

  /** Sends an answer that no route has given, with the headers that every answer carries. */
  answer(exchange: HttpExchange, answer: HttpAnswer): void {
    sendAnswer(new CrossOriginExchange(exchange, this.crossOriginHeadersFor(exchange)), answer)
  }

  /** Answers a request, whatever it asks for. Never rejects. */
  async serve(exchange: HttpExchange): Promise<void> {
    const refusedHost = this.refusedHostOf(exchange)
    if (refusedHost !== undefined) {
      this.options.logger.warn('rejecting HTTP request to prevent DNS rebinding attacks', {
        host: refusedHost,
      })
      sendAnswer(exchange, errorAnswer(421, `${rebindingText(refusedHost)}\n`))
      return
    }
    const route = this.find(exchange.path)
    const refusal = route?.refuse?.(exchange)
    if (refusal !== undefined) {
      sendAnswer(exchange, refusal)
      return
    }
    const opened = new CrossOriginExchange(exchange, this.crossOriginHeadersFor(exchange))
    if (exchange.method === 'OPTIONS') {
      opened.begin(200, { 'content-length': '0' })
      opened.end()
      return
    }
    if (route === undefined) sendAnswer(opened, notFoundAnswer)
    else if (route.methods !== undefined && !route.methods.includes(exchange.method)) {
      const allow = route.methods.join(', ')
      sendAnswer(opened, errorAnswer(405, 'Method Not Allowed\n', { allow }))
    } else await this.handle(route, opened)
  }

  private async handle(route: HttpRoute, exchange: CrossOriginExchange): Promise<void> {
    try {
      await route.handle(exchange)
    } catch (error) {
      if (isFatal(error)) this.options.onFatal(error)
      if (exchange.signal.aborted) return
      const reason = error instanceof Error ? error.message : String(error)
      this.options.logger.warn('HTTP request failed', { path: exchange.path, error: reason })
      if (exchange.hasBegun) exchange.end()
      else if (error instanceof BodyTooLarge) await refuseBody(exchange, error)
      else sendAnswer(exchange, errorAnswer(500, `${reason}\n`))
    }
  }

  private refusedHostOf({ client, host }: RequestHead): string | undefined {
    const { allowedHosts } = this.options
    if (client.isSecure || allowedHosts.includes('*')) return undefined
    const name = /^(?:\[[^\]]*\]|[^:]*)/.exec(host)?.[0].replace(/^\[|\]$/g, '') ?? ''
    return allowedHosts.includes(name) ? undefined : name
  }

  private crossOriginHeadersFor(exchange: HttpExchange): Readonly<Record<string, string>> {
    const { allowedOrigins } = this.options
    const origin = exchange.findHeader('origin') ?? ''
    const allowed = allowedOrigins.includes('*') ? '*' : origin
    if (allowed !== '*' && !allowedOrigins.includes(origin)) return {}
    return {
      'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE',
      'access-control-allow-origin': allowed,
      'access-control-allow-headers': 'accept, content-type, authorization',
    }
  }
}

/** Adds the headers that every answer carries, and knows whether there is one. */
class CrossOriginExchange implements HttpExchange {
  hasBegun = false
  private readonly inner: HttpExchange
  private readonly headers: Readonly<Record<string, string>>

  constructor(inner: HttpExchange, headers: Readonly<Record<string, string>>) {
    this.inner = inner
    this.headers = headers
  }

  get method(): string {
    return this.inner.method
  }
  get path(): string {
    return this.inner.path
  }
  get query(): URLSearchParams {
    return this.inner.query
  }
  get host(): string {
    return this.inner.host
  }
  get client(): HttpExchange['client'] {
    return this.inner.client
  }
  get body(): AsyncIterable<Uint8Array> {
    return this.inner.body
  }
  get signal(): AbortSignal {
    return this.inner.signal
  }
  findHeader(name: string): string | undefined {
    return this.inner.findHeader(name)
  }
  begin(status: number, headers: Readonly<Record<string, string>>): void {
    this.hasBegun = true
    this.inner.begin(status, { ...this.headers, ...headers })
  }
  write(bytes: Uint8Array): boolean {
    return this.inner.write(bytes)
  }
  drained(): Promise<void> {
    return this.inner.drained()
  }
  end(): void {
    this.inner.end()
  }
}

/** Answers before the content is read, and reads on until the client has had the time to see the answer. */
async function refuseBody(exchange: HttpExchange, error: BodyTooLarge): Promise<void> {
  const body = Buffer.from(`${error.message}\n`)
  exchange.begin(413, {
    'content-type': plainText,
    'content-length': String(body.length),
  })
  exchange.write(body)
  try {
    await error.drain()
  } catch {
    // The client has gone; the connection ends with this request in any case.
  }
  exchange.end()
}

/** What a browser is told that was led here under a foreign name. */
function rebindingText(host: string): string {
  return `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist ${JSON.stringify(host)}

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
`
}
