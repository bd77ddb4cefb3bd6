/**
 * HTTP/2 as a server speaks it, on one connection.
 *
 * The problem: Node's own HTTP/2 costs more per request than everything this store does for it, and refuses requests that
 * clients of etcd send. The idea: a chunk from the socket is cut into frames where it lies; each frame is dealt with at
 * once; whatever that causes to be sent is gathered and written when the turn ends. A request that arrives whole and is
 * answered at once so costs one read and one write, shared with all others of the same turn.
 *
 * A client is not trusted. It may hold the connection to nothing: everything that it can make grow has a limit, and
 * everything that it can make happen has a rate. Who exceeds one is told so in a GOAWAY and disconnected.
 *
 * Left out: server push, priorities (read and ignored), upgrades from HTTP/1, CONNECT.
 *
 * @see RFC 9113
 */
import type { Duplex } from 'node:stream'
import { ClientMemory } from './client-memory.ts'
import { contentOf } from './data-content.ts'
import { ConnectionGuard } from './connection-guard.ts'
import {
  announcedSettings,
  openStreamsMax,
  streamWindowBytes,
  type ServerConnectionOptions,
} from './connection-options.ts'
import { FrameOutput } from './frame-output.ts'
import { frameFlags, FrameReader, frameTypes, readId } from './frame-reader.ts'
import { HeaderAssembly, type HeaderFrame } from './header-assembly.ts'
import { HpackEncoder, type HeaderBlock } from './hpack-encoder.ts'
import { ConnectionError, errorCodes, protocolError } from './http2-error.ts'
import { endLingering } from './lingering-end.ts'
import { PeerSettings } from './peer-settings.ts'
import { ReceiveWindow } from './receive-window.ts'
import { RecentIds } from './recent-ids.ts'
import { ownHeadBytes, RequestDecoder, type Opening } from './request-decoder.ts'
import type { RequestHead } from './request-head.ts'
import { SendLine, windowBytesMax } from './send-line.ts'
import { ServerStream, type StreamOwner, type WholeAnswer } from './server-stream.ts'

/** As {@link streamWindowBytes}, for all streams together. */
const connectionWindowBytes = 4_194_304
/** Unsent bytes above which nothing more is read: whoever asks must also listen. */
const unsentBytesMax = 1_048_576
/** Streams that were reset here; what the client had sent before it knew is passed over. */
const resetIdsMax = 256

/** One client's connection. It ends by {@link close}, by {@link fail}, or when the socket closes. */
export class ServerConnection implements StreamOwner {
  private readonly socket: Duplex
  private readonly options: ServerConnectionOptions
  private readonly output: FrameOutput
  private readonly line: SendLine
  private readonly guard: ConnectionGuard
  private readonly reader = new FrameReader()
  private readonly assembly = new HeaderAssembly()
  private readonly requests = new RequestDecoder()
  private readonly encoder = new HpackEncoder()
  private readonly settings = new PeerSettings()
  private readonly streams = new Map<number, ServerStream>()
  private readonly streamCountMax: number
  private readonly resetIds = new RecentIds(resetIdsMax)
  private lastStreamId = 0
  private readonly receiveWindow = new ReceiveWindow(connectionWindowBytes)
  readonly memory: ClientMemory
  private isReadPaused = false
  private isClosing = false
  private hasEnded = false
  private hasToldClose = false

  constructor(socket: Duplex, options: ServerConnectionOptions) {
    this.socket = socket
    this.options = options
    this.output = new FrameOutput(socket, options.turnEnd, () => {
      this.line.pump()
      this.adjustReading()
    })
    this.line = new SendLine(this.output)
    const give = (reason: string): void => {
      this.fail(errorCodes.enhanceYourCalm, reason)
    }
    this.memory = new ClientMemory(give)
    this.guard = new ConnectionGuard(options.clock, {
      isIncomplete: () =>
        !this.settings.haveArrived || this.reader.isInsideFrame || this.assembly.isOpen,
      isStalled: () =>
        this.isReadPaused || [...this.streams.values()].some((stream) => stream.isWaitingToEnd),
      sentBytes: () => this.output.sentBytes,
      ping: () => {
        this.output.ping()
      },
      give,
    })
    this.streamCountMax = Math.min(options.concurrentStreamsMax, openStreamsMax)
    this.output.settings(announcedSettings(this.streamCountMax))
    this.output.windowUpdate(0, connectionWindowBytes - 65_535)
    this.listen()
  }

  /** Takes no new streams and closes when those that run have ended. */
  close(): void {
    if (this.isClosing || this.hasEnded) return
    this.isClosing = true
    this.output.goaway(this.lastStreamId, errorCodes.noError, '')
    if (this.streams.size === 0) this.end()
  }

  /** Ends everything at once. */
  destroy(): void {
    this.socket.destroy()
    this.finish()
  }

  /** Tells the client why, and disconnects it. @param code  one of `errorCodes` */
  fail(code: number, reason: string): void {
    if (this.hasEnded) return
    this.options.onFailure(reason)
    this.output.goaway(this.lastStreamId, code, reason)
    this.end()
    this.finish()
  }

  sendAnswer(stream: ServerStream, { fields, content, trailers }: WholeAnswer): boolean {
    if (this.hasEnded || !this.line.takeTurn(content.length)) return false
    // In this order: a block may change the table that the next one refers to.
    const block = this.encoder.encode(fields)
    const trailerBlock = this.encoder.encode(trailers)
    this.output.answer(stream.id, block, { content, trailerBlock })
    return true
  }

  sendHeaders(stream: ServerStream, fields: HeaderBlock, isEnd: boolean): void {
    if (!this.hasEnded) this.output.headers(stream.id, this.encoder.encode(fields), isEnd)
  }

  sendReset(stream: ServerStream, code: number): void {
    this.resetStream(stream.id, code)
  }

  sendWindowUpdate(stream: ServerStream, incrementBytes: number): void {
    this.output.windowUpdate(stream.id, incrementBytes)
  }

  offer(stream: ServerStream): void {
    this.line.offer(stream)
    if (stream.isWaitingToEnd) this.guard.watchStall()
  }

  noteQueued(differenceBytes: number): void {
    this.memory.noteQueued(differenceBytes)
  }

  noteKept(differenceBytes: number): void {
    this.memory.noteKept(differenceBytes)
  }

  forget(stream: ServerStream): void {
    this.streams.delete(stream.id)
    if (this.isClosing && this.streams.size === 0) this.end()
  }

  private listen(): void {
    const { socket } = this
    socket.on('data', (chunk: Buffer) => {
      this.receive(chunk)
    })
    socket.on('error', (error: Error) => {
      this.options.onFailure(error.message)
    })
    socket.once('end', () => {
      socket.destroy()
    })
    socket.once('close', () => {
      this.finish()
    })
    this.guard.watchProgress()
    if (this.options.keepalive !== undefined) this.guard.watchSilence(this.options.keepalive)
  }

  private receive(chunk: Buffer): void {
    if (this.hasEnded) return
    this.reader.push(chunk)
    try {
      while (this.reader.next()) {
        this.dispatch()
        // A frame may have been the last one.
        if (this.isOver()) return
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      this.fail(error.code, error.message)
      return
    }
    if (this.reader.isInsideFrame || this.assembly.isOpen) this.guard.watchProgress()
    this.adjustReading()
  }

  private isOver(): boolean {
    return this.hasEnded
  }

  /** @throws ConnectionError */
  private dispatch(): void {
    const { reader } = this
    this.guard.noteFrame()
    if (!this.settings.haveArrived && reader.type !== frameTypes.settings) {
      throw protocolError('first frame is not SETTINGS')
    }
    if (this.assembly.isOpen && reader.type !== frameTypes.continuation) {
      throw protocolError('header block interrupted')
    }
    switch (reader.type) {
      case frameTypes.data:
        this.receiveData()
        return
      case frameTypes.headers:
        if (reader.streamId === 0) throw protocolError('HEADERS without a stream')
        if (this.receiveKnownHeaders()) return
        this.receiveHeaders(this.assembly.begin(reader))
        return
      case frameTypes.continuation:
        this.receiveHeaders(this.assembly.proceed(reader))
        return
      case frameTypes.windowUpdate:
        this.receiveWindowUpdate()
        return
      case frameTypes.rstStream:
        this.receiveReset()
        return
      case frameTypes.settings:
        this.receiveSettings()
        return
      case frameTypes.ping:
        this.receivePing()
        return
      case frameTypes.goaway:
        if (reader.streamId !== 0) throw protocolError('GOAWAY on a stream')
        this.close()
        return
      case frameTypes.pushPromise:
        throw protocolError('PUSH_PROMISE from a client')
      default:
        this.receiveIgnored()
    }
  }

  /**
   * Opens a stream for a header block that has come before and means the same. Nearly all requests do.
   * @returns false: it must be looked at more closely, and nothing was done
   */
  private receiveKnownHeaders(): boolean {
    const { streamId, flags, buffer, start, end } = this.reader
    if ((flags & ~frameFlags.endStream) !== frameFlags.endHeaders) return false
    if (streamId <= this.lastStreamId || streamId % 2 === 0 || !this.hasRoomForStream())
      return false
    const head = this.requests.findLatest(buffer, start, end)
    if (head === undefined) return false
    this.openStream(streamId, head, { isEnd: (flags & frameFlags.endStream) !== 0, headBytes: 0 })
    return true
  }

  private receiveHeaders(frame: HeaderFrame | undefined): void {
    if (frame === undefined) return
    const { streamId, isEnd, block } = frame
    const stream = this.streams.get(streamId)
    if (stream !== undefined || streamId <= this.lastStreamId) {
      this.receiveTrailers(frame, stream)
      return
    }
    if (streamId % 2 === 0) throw protocolError('stream of even number')
    this.lastStreamId = streamId
    const outcome = this.requests.decodeRequest(block)
    if (!this.hasRoomForStream()) this.refuse(streamId, errorCodes.refusedStream)
    else if (outcome === 'malformed') this.refuse(streamId, errorCodes.protocolError)
    else if (outcome === 'tooLarge') this.refuse(streamId, errorCodes.enhanceYourCalm)
    else this.openStream(streamId, outcome, { isEnd, headBytes: ownHeadBytes(block) })
  }

  private hasRoomForStream(): boolean {
    return !this.isClosing && this.streams.size < this.streamCountMax
  }

  private openStream(id: number, head: RequestHead, { isEnd, headBytes }: Opening): void {
    const stream = new ServerStream(this, {
      id,
      head,
      isComplete: isEnd,
      sendWindowBytes: this.settings.initialWindowBytes,
      receiveWindowBytes: streamWindowBytes,
      headBytes,
    })
    this.lastStreamId = id
    this.streams.set(id, stream)
    if (headBytes > 0) this.noteKept(headBytes)
    if (this.hasEnded) return
    this.options.onStream(stream)
    if (isEnd) this.endContent(stream)
  }

  /** A second header block of a stream stands after its content. */
  private receiveTrailers(frame: HeaderFrame, stream: ServerStream | undefined): void {
    const outcome = this.requests.decodeTrailers(frame.block)
    if (stream === undefined) this.noteLateHeaders(frame.streamId)
    else if (stream.hasHalfClosed) this.resetForMistake(stream, errorCodes.streamClosed)
    else if (!frame.isEnd || outcome === 'malformed') {
      this.resetForMistake(stream, errorCodes.protocolError)
    } else this.endContent(stream)
  }

  private receiveData(): void {
    const { reader } = this
    const sizeBytes = reader.end - reader.start
    this.reader.requireStreamUpTo(this.lastStreamId, 'DATA')
    if (!this.receiveWindow.take(sizeBytes)) {
      throw new ConnectionError(errorCodes.flowControlError, 'connection window exceeded')
    }
    const incrementBytes = this.receiveWindow.consume(sizeBytes)
    if (incrementBytes > 0) this.output.windowUpdate(0, incrementBytes)
    const content = contentOf(reader)
    const stream = this.streams.get(reader.streamId)
    if (stream === undefined) {
      this.noteLate(reader.streamId)
      return
    }
    if (stream.hasHalfClosed) {
      this.resetForMistake(stream, errorCodes.streamClosed)
      return
    }
    const isEnd = (reader.flags & frameFlags.endStream) !== 0
    if (content.length === 0 && !isEnd) this.guard.noteIdleFrame()
    const mistake = stream.receive(content, { sizeBytes, isEnd })
    if (mistake === errorCodes.flowControlError) {
      throw new ConnectionError(mistake, 'stream window exceeded')
    }
    if (mistake !== undefined) this.resetForMistake(stream, mistake)
  }

  private endContent(stream: ServerStream): void {
    if (!stream.receiveEnd()) this.resetForMistake(stream, errorCodes.protocolError)
  }

  private receiveReset(): void {
    this.reader.requireSize(4, 'RST_STREAM')
    this.reader.requireStreamUpTo(this.lastStreamId, 'RST_STREAM')
    this.guard.noteReset()
    this.streams.get(this.reader.streamId)?.close()
  }

  private receiveSettings(): void {
    const { reader } = this
    if (reader.streamId !== 0) throw protocolError('SETTINGS on a stream')
    if ((reader.flags & frameFlags.ack) !== 0) {
      this.reader.requireSize(0, 'SETTINGS')
      if (!this.settings.haveArrived) throw protocolError('first frame is not SETTINGS')
      return
    }
    if (this.settings.haveArrived) this.guard.noteIdleFrame()
    const previousWindowBytes = this.settings.initialWindowBytes
    this.settings.read(reader)
    this.encoder.setTableSizeMax(this.settings.headerTableBytesMax)
    this.line.setFrameSizeMax(this.settings.frameBytesMax)
    this.output.settingsAck()
    const differenceBytes = this.settings.initialWindowBytes - previousWindowBytes
    if (differenceBytes === 0) return
    for (const stream of [...this.streams.values()]) this.widen(stream, differenceBytes)
  }

  private widen(stream: ServerStream, differenceBytes: number): void {
    stream.sendWindowBytes += differenceBytes
    if (stream.sendWindowBytes > windowBytesMax) {
      throw new ConnectionError(errorCodes.flowControlError, 'stream window too large')
    }
    if (stream.queuedBytes > 0 && stream.sendWindowBytes > 0) this.offer(stream)
  }

  private receivePing(): void {
    const { reader } = this
    if (reader.streamId !== 0) throw protocolError('PING on a stream')
    this.reader.requireSize(8, 'PING')
    if ((reader.flags & frameFlags.ack) !== 0) {
      this.guard.noteIdleFrame()
      return
    }
    this.output.pingAck(reader.buffer.subarray(reader.start, reader.end))
    const objection = this.options.onPing()
    if (objection !== undefined) this.fail(errorCodes.enhanceYourCalm, objection)
  }

  private receiveWindowUpdate(): void {
    const { reader } = this
    reader.requireSize(4, 'WINDOW_UPDATE')
    const incrementBytes = readId(reader.buffer, reader.start)
    if (reader.streamId !== 0) {
      this.reader.requireStreamUpTo(this.lastStreamId, 'WINDOW_UPDATE')
      this.widenStream(incrementBytes)
      return
    }
    this.line.widen(incrementBytes)
  }

  private widenStream(incrementBytes: number): void {
    const stream = this.streams.get(this.reader.streamId)
    // It may have ended while the frame was on its way.
    if (stream === undefined) return
    if (incrementBytes === 0) this.resetForMistake(stream, errorCodes.protocolError)
    else if (stream.sendWindowBytes + incrementBytes > windowBytesMax) {
      this.resetForMistake(stream, errorCodes.flowControlError)
    } else this.widen(stream, incrementBytes)
  }

  /** Priorities, which nobody needs, and frames of unknown kinds. */
  private receiveIgnored(): void {
    if (this.reader.type === frameTypes.priority) this.reader.requirePriority()
    this.guard.noteIdleFrame()
  }

  /** A stream that both sides have ended cannot be asked anything more, and a number that was passed over is used up. */
  private noteLateHeaders(streamId: number): void {
    if (this.resetIds.has(streamId)) return
    if (streamId < this.lastStreamId) throw protocolError('stream of a number that was passed')
    throw new ConnectionError(errorCodes.streamClosed, 'HEADERS of a stream that has ended')
  }

  /** Something came for a stream that has ended. */
  private noteLate(streamId: number): void {
    if (this.resetIds.has(streamId)) return
    this.refuse(streamId, errorCodes.streamClosed)
  }

  private refuse(streamId: number, code: number): void {
    this.guard.noteReset()
    this.resetStream(streamId, code)
  }

  private resetForMistake(stream: ServerStream, code: number): void {
    this.guard.noteReset()
    stream.reset(code)
  }

  private resetStream(streamId: number, code: number): void {
    if (this.hasEnded) return
    this.output.rstStream(streamId, code)
    this.resetIds.add(streamId)
  }

  /** A client that does not read what it asks for is not asked what else it wants. */
  private adjustReading(): void {
    const isFull = this.output.unsentBytes > unsentBytesMax
    if (isFull === this.isReadPaused || this.hasEnded) return
    this.isReadPaused = isFull
    if (!isFull) {
      this.socket.resume()
      return
    }
    this.socket.pause()
    this.guard.watchStall()
  }

  /** Sends what was gathered and disconnects; the client gets a moment to read it. */
  private end(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.guard.dispose()
    this.output.flush()
    endLingering(this.socket, this.options.clock)
  }

  /** The connection is gone: so are its streams. */
  private finish(): void {
    this.hasEnded = true
    this.guard.dispose()
    for (const stream of [...this.streams.values()]) stream.close()
    if (this.hasToldClose || !this.socket.destroyed) return
    this.hasToldClose = true
    this.options.onClose()
  }
}
