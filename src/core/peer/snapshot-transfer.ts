/**
 * Snapshots travel on a connection of their own, so that gigabytes of database do not stand in the way of heartbeats: a POST
 * whose body is the length of the message (64 bits, most significant byte first), the message, then the database.
 */
import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Timer } from '../base/clock.ts'
import { MalformedMessage } from '../proto/byte-reader.ts'
import { ByteWriter } from '../proto/byte-writer.ts'
import type { SnapshotMessage } from '../raft/message.ts'
import { requestHeaders } from './handshake.ts'
import { readMessage } from './message-codec.ts'
import { type PeerContext, peerLimits } from './peer-context.ts'
import { dialPeer } from './peer-dial.ts'
import type { PeerUrl } from './peer-url.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { collectText } from './response-text.ts'
import { writeWithLength } from './stream-codec.ts'

/** The message before a database names members and positions, nothing large. */
const snapshotMessageBytesMax = 64 * 1024 * 1024

/**
 * Sends a snapshot; resolves when the peer has stored it.
 *
 * Chunks are asked for no faster than the peer takes them.
 *
 * @throws Error  the peer could not be reached, refused, or took nothing for half a minute
 */
export async function sendSnapshot(
  context: PeerContext,
  url: PeerUrl,
  snapshot: {
    readonly message: SnapshotMessage
    readonly chunks: AsyncIterable<Uint8Array>
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { signal } = snapshot
  const posted = dialPeer(url, context.tls, {
    path: '/raft/snapshot',
    method: 'POST',
    agent: false,
    signal,
    headers: { ...requestHeaders(context.identity), 'Content-Type': 'application/octet-stream' },
  })
  const answer = answerOf(posted)
  const ended = answer.then(() => 'answered' as const)
  // Both are met below; until then a failure must not count as unhandled.
  answer.catch(() => undefined)
  ended.catch(() => undefined)
  const idle = new IdleTimer(context, () => {
    posted.destroy(new Error('the peer took nothing for too long'))
  })
  try {
    const head = new ByteWriter(4_096)
    writeWithLength(head, snapshot.message)
    await writeAll(posted, head.copied(), { ended, idle })
    for await (const chunk of snapshot.chunks) {
      if (posted.destroyed) break
      if ((await writeAll(posted, chunk, { ended, idle })) === 'answered') break
    }
    posted.end()
    await answer
  } finally {
    idle.stop()
    posted.destroy()
  }
}

/** Whether there is an answer before the body ended: then there is no use in sending the rest. */
async function writeAll(
  posted: ClientRequest,
  chunk: Uint8Array,
  watch: { readonly ended: Promise<'answered'>; readonly idle: IdleTimer },
): Promise<'answered' | undefined> {
  watch.idle.touch()
  if (posted.write(chunk)) return undefined
  const stop = new AbortController()
  try {
    const drained = once(posted, 'drain', { signal: stop.signal }).then(() => undefined)
    // Given up when the answer comes first.
    drained.catch(() => undefined)
    return await Promise.race([drained, watch.ended])
  } finally {
    stop.abort()
  }
}

function answerOf(posted: ClientRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    posted.on('response', (response) => {
      const status = response.statusCode ?? 0
      collectText(response, (text) => {
        if (status === 204 || status === 200) resolve()
        else reject(new Error(`the peer refused the snapshot: ${status} ${text.trim()}`))
      })
    })
    posted.on('error', reject)
    posted.on('close', () => {
      reject(new Error('the connection was closed'))
    })
  })
}

/** A snapshot on its way in: the message, and the database as it arrives. */
export interface IncomingSnapshot {
  readonly message: SnapshotMessage
  readonly chunks: AsyncIterable<Uint8Array>
}

/**
 * Reads the head of a snapshot request.
 *
 * `chunks` reads on from the socket as it is consumed; it throws when the sender goes away or stands still.
 *
 * @throws MalformedMessage  the body does not begin with a snapshot message
 */
export async function receiveSnapshot(
  context: PeerContext,
  incoming: IncomingMessage,
): Promise<IncomingSnapshot> {
  const buffer = new ReceiveBuffer()
  const pieces = idleGuarded(context, incoming)
  let length = buffer.peekNumber(0)
  while (length === undefined || buffer.availableBytes < 8 + length) {
    const piece = await pieces.next()
    if (piece.done === true) throw new MalformedMessage('the body ends within the message')
    buffer.append(piece.value)
    length = buffer.peekNumber(0)
    if (length !== undefined && length > snapshotMessageBytesMax) {
      throw new MalformedMessage('the message is too long')
    }
  }
  buffer.skip(8)
  const message = readMessage(buffer.take(length))
  if (message === 'linkHeartbeat' || message.kind !== 'snapshot') {
    throw new MalformedMessage('wrong raft message type')
  }
  return { message, chunks: chunksOf(buffer.take(buffer.availableBytes), pieces) }
}

async function* chunksOf(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  yield* rest
}

/** The body's chunks; a sender that stands still for too long is cut off. */
async function* idleGuarded(
  context: PeerContext,
  incoming: IncomingMessage,
): AsyncGenerator<Uint8Array> {
  const idle = new IdleTimer(context, () => {
    incoming.destroy(new Error('the sender stood still for too long'))
  })
  try {
    for await (const chunk of incoming) {
      // While the receiver is busy with a chunk the sender is not to blame.
      idle.stop()
      yield chunk as Uint8Array
      idle.touch()
    }
  } finally {
    idle.stop()
  }
}

/** Calls back when it was not touched for the idle time. */
class IdleTimer {
  private readonly context: PeerContext
  private readonly onIdle: () => void
  private timer: Timer | undefined

  constructor(context: PeerContext, onIdle: () => void) {
    this.context = context
    this.onIdle = onIdle
    this.touch()
  }

  touch(): void {
    this.timer?.cancel()
    this.timer = this.context.clock.setTimer(peerLimits.snapshotIdleTimeoutMs, this.onIdle)
  }

  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
  }
}
