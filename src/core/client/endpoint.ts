/** One endpoint of a cluster: its channel, how it is, and calls to it alone, without any repetition. */

import {
  Client as GrpcClient,
  connectivityState,
  credentials,
  Metadata,
  type ChannelCredentials,
  type ClientDuplexStream,
} from '@grpc/grpc-js'
import type { Disposable } from '../base/disposable.ts'
import { StoreError } from '../errors/store-error.ts'
import type { LoginSession, TokenResult } from './login.ts'
import type { BoundMethod } from './rpc-method.ts'
import { callFailureOf, type CallFailure } from './status-to-error.ts'

/** Answers above this are refused, so that one range cannot fill the memory of the process. */
const receiveSizeBytesMax = 268_435_456
/** A send limit of our own would only hide the server's, whose text tells more. */
const sendSizeBytesMax = -1
/** What may be under way unread, on a call and on a connection; with the usual 64 KB a page of keys takes several trips to a far server. */
const receiveWindowSizeBytes = 1_048_576
/** Servers end connections that are pinged more often than every five seconds. */
const keepAliveIntervalMs = 10_000
const keepAliveTimeoutMs = 3_000
const reconnectDelayMinMs = 100
const reconnectDelayMaxMs = 2_000

export interface CallOptions {
  /** Time for this one attempt. */
  readonly timeoutMs: number
  /** Refuse at a member that sees no leader, instead of waiting there. */
  readonly needsLeader: boolean
  readonly signal?: AbortSignal | undefined
}

/** How connections to `https` endpoints are secured. Certificates and keys as PEM. */
export interface ClientTlsOptions {
  /** Authorities that may vouch for servers; those that Node trusts when absent. */
  readonly authorities?: Uint8Array
  /** Shown to servers that ask who calls. */
  readonly identity?: { readonly certificates: Uint8Array; readonly privateKey: Uint8Array }
  /** Name expected in the server's certificate; the endpoint's host when absent. */
  readonly serverName?: string
  /** Anybody may answer: the server's certificate is not looked at. */
  readonly isVerifySkipped?: boolean
}

/** How an endpoint is dialled, and as whom. */
export interface EndpointSecurity {
  readonly tls?: ClientTlsOptions | undefined
  readonly login?: LoginSession | undefined
}

/** What became of one attempt. */
export type CallResult<Response> =
  | { readonly ok: true; readonly response: Response }
  | { readonly ok: false; readonly failure: CallFailure }

/** An endpoint's channel as the transport sees it. */
export type ChannelState = 'idle' | 'connecting' | 'ready' | 'failed' | 'closed'

/** An endpoint as it is dialled. */
export interface EndpointAddress {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string
  readonly address: string
  readonly isSecure: boolean
}

/**
 * Reads an endpoint as users write it.
 *
 * @param options  `isSecure`: what a bare `host:port` stands for
 * @throws StoreError  `unreachable` when it is no address of a kind that we can dial
 */
export function parseEndpoint(
  text: string,
  options: { readonly isSecure: boolean } = { isSecure: false },
): EndpointAddress {
  const match = /^(?:(https?):\/\/)?((?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5}))\/?$/.exec(
    text,
  )
  const address = match?.[2]
  if (address === undefined || Number(match?.[3]) > 65_535 || Number(match?.[3]) === 0) {
    throw new StoreError('unreachable', {
      endpoint: text,
      serverText: 'not an address of the form http://host:port or https://host:port',
    })
  }
  const scheme = match?.[1] ?? (options.isSecure ? 'https' : 'http')
  return { url: `${scheme}://${address}`, address, isSecure: scheme === 'https' }
}

export class Endpoint implements Disposable {
  readonly url: string
  readonly isSecure: boolean
  private readonly client: GrpcClient
  private readonly login: LoginSession | undefined
  private isDisposed = false

  /**
   * @param security  `tls` for `https`, and what makes a bare `host:port` mean it
   * @throws StoreError  `unreachable` when it is no address, or `tls` holds something that is no certificate or key
   */
  constructor(text: string, security: EndpointSecurity = {}) {
    const { tls } = security
    const { url, address, isSecure } = parseEndpoint(text, { isSecure: tls !== undefined })
    this.url = url
    this.isSecure = isSecure
    this.login = security.login
    const channelCredentials = isSecure ? tlsCredentials(url, tls) : credentials.createInsecure()
    this.client = new GrpcClient(address, channelCredentials, {
      ...(tls?.serverName === undefined ? {} : serverNameOptions(tls.serverName)),
      'grpc.max_receive_message_length': receiveSizeBytesMax,
      'grpc.max_send_message_length': sendSizeBytesMax,
      'grpc-node.flow_control_window': receiveWindowSizeBytes,
      'grpc.keepalive_time_ms': keepAliveIntervalMs,
      'grpc.keepalive_timeout_ms': keepAliveTimeoutMs,
      'grpc.initial_reconnect_backoff_ms': reconnectDelayMinMs,
      'grpc.max_reconnect_backoff_ms': reconnectDelayMaxMs,
      // Two connections to one server must not share the fate of one transport.
      'grpc.use_local_subchannel_pool': 1,
      // Addresses of clusters are dialled as written; a proxy is never meant for them.
      'grpc.enable_http_proxy': 0,
      // Fail-over and repetition are decided here, with knowledge of what a write is.
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
    })
  }

  /** As whom the cluster is asked; absent without users. */
  get user(): string | undefined {
    return this.login?.user
  }

  /** State of the transport; asking an idle one begins to connect. */
  channelState(): ChannelState {
    if (this.isDisposed) return 'closed'
    switch (this.client.getChannel().getConnectivityState(true)) {
      case connectivityState.IDLE:
        return 'idle'
      case connectivityState.CONNECTING:
        return 'connecting'
      case connectivityState.READY:
        return 'ready'
      case connectivityState.TRANSIENT_FAILURE:
        return 'failed'
      case connectivityState.SHUTDOWN:
        return 'closed'
    }
  }

  /**
   * Waits for the transport, so that a call is not queued behind a connection that never comes.
   *
   * @returns  `failed` at once when the endpoint refuses, `connecting` when the time ran out
   */
  async waitForChannel(timeoutMs: number): Promise<ChannelState> {
    const endsAtMs = Date.now() + timeoutMs
    for (;;) {
      const state = this.channelState()
      const isSettled = state === 'ready' || state === 'failed' || state === 'closed'
      if (isSettled || Date.now() >= endsAtMs) return state
      await this.nextChannelState(endsAtMs)
    }
  }

  /** One attempt of a call with one answer; a second one when only the token was too old. Never rejects. */
  async call<Request, Response>(
    method: BoundMethod<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<CallResult<Response>> {
    const { login } = this
    if (login === undefined) return this.attempt(method, request, options)
    for (let attempt = 1; ; attempt++) {
      const known = await this.token(login)
      if (!known.ok) return known
      const result = await this.attempt(method, request, options, known.token)
      // The refusal came before anything was done, so even a write may be sent again.
      if (result.ok || attempt === 2 || !login.noteFailure(result.failure, known.token)) {
        return result
      }
    }
  }

  /**
   * The token that a stream carries; absent without users.
   *
   * @returns  the failure when the cluster does not let the user in
   */
  async streamToken(): Promise<TokenResult> {
    return this.login === undefined ? { ok: true, token: undefined } : this.token(this.login)
  }

  /** Takes note that a stream with `token` failed; true when another token may help. */
  noteStreamFailure(failure: CallFailure, token: string | undefined): boolean {
    return this.login?.noteFailure(failure, token) ?? false
  }

  private token(login: LoginSession): Promise<TokenResult> {
    return login.token((method, request, options) => this.attempt(method, request, options))
  }

  private attempt<Request, Response>(
    method: BoundMethod<Request, Response>,
    request: Request,
    options: CallOptions,
    token?: string,
  ): Promise<CallResult<Response>> {
    return new Promise((resolve) => {
      const call = this.client.makeUnaryRequest(
        method.path,
        method.serialize,
        method.deserialize,
        request,
        metadataOf(options, token),
        { deadline: Date.now() + options.timeoutMs },
        (error, response) => {
          options.signal?.removeEventListener('abort', onAbort)
          if (error !== null) resolve({ ok: false, failure: callFailureOf(error, this) })
          else if (response !== undefined) resolve({ ok: true, response })
        },
      )
      const onAbort = (): void => {
        call.cancel()
      }
      if (options.signal?.aborted === true) call.cancel()
      else options.signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Opens a stream in both directions. The caller cancels it and listens to its `error` event. */
  openStream<Request, Response>(
    method: BoundMethod<Request, Response>,
    options: { readonly needsLeader: boolean; readonly token?: string | undefined },
  ): ClientDuplexStream<Request, Response> {
    return this.client.makeBidiStreamRequest(
      method.path,
      method.serialize,
      method.deserialize,
      metadataOf(options, options.token),
    )
  }

  private nextChannelState(endsAtMs: number): Promise<void> {
    const channel = this.client.getChannel()
    return new Promise((resolve) => {
      // Both a change and the end of the time are looked at by the caller.
      channel.watchConnectivityState(channel.getConnectivityState(true), endsAtMs, () => {
        resolve()
      })
    })
  }

  dispose(): void {
    if (this.isDisposed) return
    this.isDisposed = true
    this.client.close()
  }
}

function tlsCredentials(url: string, tls: ClientTlsOptions = {}): ChannelCredentials {
  const bufferOf = (bytes: Uint8Array | undefined): Buffer | null =>
    bytes === undefined ? null : Buffer.from(bytes)
  try {
    return credentials.createSsl(
      bufferOf(tls.authorities),
      bufferOf(tls.identity?.privateKey),
      bufferOf(tls.identity?.certificates),
      tls.isVerifySkipped === true ? { rejectUnauthorized: false } : {},
    )
  } catch (error) {
    // OpenSSL's words; it says which of them it could not read.
    if (!(error instanceof Error)) throw error
    throw new StoreError(
      'unreachable',
      { endpoint: url, serverText: `TLS settings: ${error.message}` },
      { cause: error },
    )
  }
}

/** The name both in the handshake and in the check of the server's certificate. */
function serverNameOptions(serverName: string): Record<string, string> {
  return { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }
}

function metadataOf(
  options: { readonly needsLeader: boolean },
  token: string | undefined,
): Metadata {
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('token', token)
  if (options.needsLeader) metadata.set('hasleader', 'true')
  return metadata
}
