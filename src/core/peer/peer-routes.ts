/**
 * The routes of the peer port. Order of checks and texts of answers are etcd's, because its members read them.
 *
 *     GET  /raft/stream/message/<id>   the peer <id> wants to hear from us
 *     GET  /raft/stream/msgapp/<id>    the same, log entries only
 *     POST /raft                       one message
 *     POST /raft/snapshot              a snapshot
 *     GET  /raft/probing               are you there, and what time is it
 *     GET  /members, /version          JSON, answered by the host's callbacks
 *     412  another cluster, or versions that do not get along, or meant for another member
 *     410, 403  the sender was removed from the cluster
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { concatBytes } from '../base/bytes.ts'
import { hexId, type NodeId, nodeId } from '../base/ids.ts'
import { MalformedMessage } from '../proto/byte-reader.ts'
import type { Message, SnapshotMessage } from '../raft/message.ts'
import { handshakeTexts, headerOf, incompatibility, parseHexId } from './handshake.ts'
import { readMessage } from './message-codec.ts'
import type { PeerContext } from './peer-context.ts'
import type { PeerAddress } from './peer-transport.ts'
import { messageSizeBytesMax } from './receive-buffer.ts'
import { receiveSnapshot } from './snapshot-transfer.ts'
import type { StreamKind } from './stream-codec.ts'

/** What the routes need from the transport. */
export interface PeerRoutesHost {
  isRemoved(peer: NodeId): boolean
  /** False when the peer is not known. */
  attachStream(peer: NodeId, kind: StreamKind, response: ServerResponse): boolean
  /** Somebody who is no member as far as we know said where to reach it. */
  noteRemote(peer: PeerAddress): void
  receive(message: Message, sender: NodeId): void
  receiveSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void>
}

/** One further route of the peer port. Answers the request completely. */
export type PeerRoute = (request: IncomingMessage, response: ServerResponse) => void

/** A handler for all requests on the peer port. `routes`: by exact path, or by prefix where the key ends with a slash. */
export function peerRequestHandler(
  context: PeerContext,
  host: PeerRoutesHost,
  routes: Readonly<Record<string, PeerRoute>>,
): PeerRoute {
  const guard = (work: Promise<void>, response: ServerResponse): void => {
    work.catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      context.logger.warn('peer request failed', { reason })
      if (response.headersSent) response.destroy()
      else answerText(response, 500, 'error processing raft message')
    })
  }
  const route: PeerRoute = (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    if (path === '/raft') {
      guard(answerMessage({ context, host, request, response }), response)
    } else if (path === '/raft/snapshot') {
      guard(answerSnapshot({ context, host, request, response }), response)
    } else if (path === '/raft/probing') {
      // An own format: JSON in etcd's field order, with its text type.
      const now = new Date(context.clock.wallMs()).toISOString()
      answerText(response, 200, `{"OK":true,"Now":"${now}"}`)
    } else if (path.startsWith('/raft/stream/')) {
      answerStream({ context, host, request, response }, path)
    } else {
      answerFurther(routes, path, { request, response })
    }
  }
  return (request, response) => {
    // What a callback of the host throws is the answer to one request, not the end of the node.
    guard(
      new Promise((resolve) => {
        route(request, response)
        resolve()
      }),
      response,
    )
  }
}

interface Exchange {
  readonly context: PeerContext
  readonly host: PeerRoutesHost
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

async function answerMessage(exchange: Exchange): Promise<void> {
  const { request, response, host } = exchange
  if (!isWelcome(exchange, 'POST')) return
  const body = await readBody(request)
  if (body === undefined) {
    answerText(response, 400, 'error reading raft message')
    return
  }
  let message: ReturnType<typeof readMessage>
  try {
    message = readMessage(body)
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    answerText(response, 400, 'error unmarshalling raft message')
    return
  }
  if (message !== 'linkHeartbeat') {
    if (message.kind === 'snapshot') {
      answerText(response, 400, 'a snapshot comes with its database')
      return
    }
    if (isRefused(exchange, message)) return
    host.receive(message, senderOf(request) ?? message.from)
  }
  response.writeHead(204).end()
}

async function answerSnapshot(exchange: Exchange): Promise<void> {
  const { request, response, host, context } = exchange
  if (!isWelcome(exchange, 'POST')) return
  let snapshot: Awaited<ReturnType<typeof receiveSnapshot>>
  try {
    snapshot = await receiveSnapshot(context, request)
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    const text =
      error.message === 'wrong raft message type'
        ? error.message
        : `failed to decode raft message (${error.message})`
    answerText(response, 400, text)
    return
  }
  if (isRefused(exchange, snapshot.message)) return
  const fields = {
    peer: hexId(snapshot.message.from),
    index: snapshot.message.snapshot.metadata.index,
  }
  context.logger.info('receiving a snapshot', fields)
  try {
    await host.receiveSnapshot(snapshot.message, snapshot.chunks)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    context.logger.warn('snapshot was not received', { ...fields, reason })
    if (!response.destroyed) answerText(response, 500, `failed to save KV snapshot (${reason})`)
    return
  }
  response.writeHead(204).end()
}

function answerStream(exchange: Exchange, path: string): void {
  const { context, host, request, response } = exchange
  if (request.method !== 'GET') {
    answerMethod(response, 'GET')
    return
  }
  response.setHeader('X-Server-Version', context.identity.serverVersion)
  if (!isSameCluster(exchange)) return
  const [kind, id, ...rest] = path.slice('/raft/stream/'.length).split('/')
  if ((kind !== 'message' && kind !== 'msgapp') || rest.length > 0) {
    answerText(response, 404, 'invalid path')
    return
  }
  const from = parseHexId(id ?? '')
  if (from === undefined) {
    answerText(response, 404, 'invalid from')
    return
  }
  if (host.isRemoved(nodeId(from))) {
    response.writeHead(410).end()
    return
  }
  if (headerOf(request.headers, 'x-raft-to') !== hexId(context.identity.nodeId)) {
    answerText(response, 412, handshakeTexts.receiverMismatch)
    return
  }
  if (!host.attachStream(nodeId(from), kind, response)) {
    noteRemote(exchange, nodeId(from))
    answerText(response, 404, handshakeTexts.senderNotFound)
  }
}

/** Method and handshake of a POST; answers when it is not welcome. */
function isWelcome(exchange: Exchange, method: string): boolean {
  const { request, response } = exchange
  if (request.method !== method) {
    answerMethod(response, method)
    return false
  }
  if (!isSameCluster(exchange)) return false
  const sender = senderOf(request)
  if (sender !== undefined) noteRemote(exchange, sender)
  return true
}

function isSameCluster(exchange: Exchange): boolean {
  const { context, request, response } = exchange
  response.setHeader('X-Etcd-Cluster-ID', hexId(context.identity.clusterId))
  const problem = incompatibility(context.identity, request.headers)
  if (problem === undefined) return true
  context.logger.debug('request of a stranger refused', {
    remote: request.socket.remoteAddress ?? '',
    sender: headerOf(request.headers, 'x-server-from') ?? '',
    reason: problem,
  })
  answerText(response, 412, problem)
  return false
}

/** Messages of removed members and for others are answered and go no further. */
function isRefused(exchange: Exchange, message: Message): boolean {
  const { context, host, response } = exchange
  if (host.isRemoved(message.from)) {
    answerJson(response, 403, { message: handshakeTexts.removedMember })
    return true
  }
  if (message.to !== context.identity.nodeId) {
    answerJson(response, 403, { message: handshakeTexts.mismatchedMember })
    return true
  }
  return false
}

function noteRemote(exchange: Exchange, sender: NodeId): void {
  const urls = headerOf(exchange.request.headers, 'x-peerurls') ?? ''
  if (urls !== '' && !exchange.host.isRemoved(sender)) {
    exchange.host.noteRemote({ id: sender, peerUrls: urls.split(',') })
  }
}

function senderOf(request: IncomingMessage): NodeId | undefined {
  const id = parseHexId(headerOf(request.headers, 'x-server-from') ?? '')
  return id === undefined ? undefined : nodeId(id)
}

/** Undefined when the body is too long or its sender went away. */
/** The whole body; undefined when it is too large or the connection broke. */
export async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = []
  let sizeBytes = 0
  try {
    for await (const piece of request) {
      const bytes = piece as Uint8Array
      sizeBytes += bytes.length
      if (sizeBytes > messageSizeBytesMax) return undefined
      pieces.push(bytes)
    }
  } catch (error) {
    // Nobody is left to be answered; the listener has noted why.
    if (error instanceof Error) return undefined
    throw error
  }
  return concatBytes(pieces)
}

function answerFurther(
  routes: Readonly<Record<string, PeerRoute>>,
  path: string,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
): void {
  const prefix = Object.keys(routes).find((key) => key.endsWith('/') && path.startsWith(key))
  const route = Object.hasOwn(routes, path)
    ? routes[path]
    : prefix === undefined
      ? undefined
      : routes[prefix]
  if (route === undefined) answerText(exchange.response, 404, '404 page not found')
  else route(exchange.request, exchange.response)
}

/** A route that answers GET with what the callback gives, as JSON. */
export function jsonRoute(
  content: () => unknown,
  headers: Readonly<Record<string, string>> = {},
): PeerRoute {
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answerMethod(response, 'GET')
      return
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    answerJson(response, 200, content())
  }
}

function answerJson(response: ServerResponse, status: number, content: unknown): void {
  const body =
    typeof content === 'string' ? content : jsonOf(content) + (status === 200 ? '\n' : '')
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(body)
}

/** JSON in which ids of 64 bits are plain numbers with all their digits, as Go writes and reads them. */
function jsonOf(content: unknown): string {
  const marked = JSON.stringify(content, (_name, value: unknown) =>
    typeof value === 'bigint' ? `\u0000${value}` : value,
  )
  return marked.replace(/"\\u0000(\d+)"/g, '$1')
}

function answerMethod(response: ServerResponse, allowed: string): void {
  response.setHeader('Allow', allowed)
  answerText(response, 405, 'Method Not Allowed')
}

/** Plain text as Go's http.Error writes it. */
function answerText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
  })
  response.end(`${text}\n`)
}
