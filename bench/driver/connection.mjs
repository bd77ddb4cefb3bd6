/**
 * One HTTP/2 connection of a load generator over a plain socket: frames are written from prepared bytes into one buffer per turn,
 * and what comes back is looked at in place. It costs a few microseconds a request, where node:http2 costs twenty.
 */
import { connect } from 'node:net'
import { setImmediate } from 'node:timers'
import { RequestHeaders, StatusReader } from './hpack.mjs'

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
const frameHeaderBytes = 9
const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 }
const flag = { ack: 1, endStream: 1, endHeaders: 4 }
const initialWindowSizeSetting = 4
const maxFramePayloadBytes = 16_384
const outputBytes = 128 * 1024
const inputBytes = 256 * 1024
const streamWindowBytes = 2 ** 31 - 1
const connectionWindowBytes = 2 ** 30
const firstWindowBytes = 65_535
const missingStatus = -1

export class Connection {
  #socket
  #headers
  #streams = new Map()
  #nextStreamId = 1
  #output = Buffer.allocUnsafeSlow(outputBytes)
  #outputLength = 0
  #spareOutputs = []
  #isInsideRead = false
  #isFlushScheduled = false
  #rest
  #restLength = 0
  #sendWindow = firstWindowBytes
  #blocked = []
  #blockedAt = 0
  #unacknowledgedBytes = 0
  #statusReader = new StatusReader()
  #failure
  #onFailure
  /** Resolves when the server's settings have come. */
  ready

  /**
   * @param {{ port: number, host?: string, onFailure: (error: Error) => void }} options
   */
  constructor({ port, host = '127.0.0.1', onFailure }) {
    this.#onFailure = onFailure
    this.#headers = new RequestHeaders(`${host}:${port}`)
    this.#rest = Buffer.allocUnsafeSlow(maxFramePayloadBytes * 2)
    this.ready = new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
    const onread = {
      buffer: Buffer.allocUnsafeSlow(inputBytes),
      callback: (length, buffer) => {
        this.#receive(buffer, length)
        return true
      },
    }
    this.#socket = connect({ port, host, noDelay: true, onread })
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')))
    // Whoever waits for it is told; a caller that does not wait hears of a failure through `onFailure`.
    this.ready.catch(() => undefined)
    this.#greet()
  }

  /** The port of this end, by which the server's side knows the connection. */
  get localPort() {
    return this.#socket.localPort
  }

  close() {
    this.#failure ??= new Error('closed')
    this.#socket.destroy()
  }

  /**
   * Opens a stream. The body is copied before this returns.
   * @param {string} path of the gRPC method
   * @param {Buffer} body a length-prefixed message
   * @param {{ onData?: (bytes: Buffer, start: number, end: number) => void, onEnd: (status: number) => void }} handler
   * @param {boolean} isOpen whether more messages may follow
   */
  request(path, body, handler, isOpen = false) {
    const queued = { path, body, handler, isOpen, streamId: 0 }
    return this.#sendOrQueue(queued)
  }

  /** Sends one more message on an open stream. */
  sendMore(streamId, body) {
    this.#sendOrQueue({ body, streamId, isOpen: true })
  }

  #sendOrQueue(queued) {
    const isBlocked =
      this.#blockedAt < this.#blocked.length || this.#sendWindow < queued.body.length
    if (isBlocked) {
      this.#blocked.push({ ...queued, body: Buffer.from(queued.body) })
      return 0
    }
    return this.#write(queued)
  }

  #write({ path, body, handler, isOpen, streamId: knownId }) {
    let streamId = knownId
    if (streamId === 0) {
      streamId = this.#nextStreamId
      this.#nextStreamId += 2
      this.#streams.set(streamId, handler)
      const block = this.#headers.blockFor(path)
      this.#writeFrame(type.headers, flag.endHeaders, streamId, block)
    }
    this.#sendWindow -= body.length
    for (let start = 0; start < body.length; start += maxFramePayloadBytes) {
      const part =
        body.length <= maxFramePayloadBytes
          ? body
          : body.subarray(start, start + maxFramePayloadBytes)
      const isLast = start + maxFramePayloadBytes >= body.length
      this.#writeFrame(type.data, isLast && !isOpen ? flag.endStream : 0, streamId, part)
    }
    this.#scheduleFlush()
    return streamId
  }

  #greet() {
    const settings = Buffer.alloc(6)
    settings.writeUInt16BE(initialWindowSizeSetting, 0)
    settings.writeUInt32BE(streamWindowBytes, 2)
    this.#socket.write(preface)
    this.#writeFrame(type.settings, 0, 0, settings)
    this.#grantWindow(connectionWindowBytes)
    this.#flush()
  }

  #grantWindow(bytes) {
    const increment = Buffer.alloc(4)
    increment.writeUInt32BE(bytes)
    this.#writeFrame(type.windowUpdate, 0, 0, increment)
    this.#scheduleFlush()
  }

  #writeFrame(frameType, flags, streamId, payload) {
    const length = payload.length
    if (this.#outputLength + frameHeaderBytes + length > outputBytes) this.#flush()
    const output = this.#output
    const at = this.#outputLength
    output[at] = length >>> 16
    output[at + 1] = (length >>> 8) & 255
    output[at + 2] = length & 255
    output[at + 3] = frameType
    output[at + 4] = flags
    output.writeUInt32BE(streamId, at + 5)
    payload.copy(output, at + frameHeaderBytes)
    this.#outputLength = at + frameHeaderBytes + length
  }

  #scheduleFlush() {
    if (this.#isInsideRead || this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    setImmediate(() => {
      this.#isFlushScheduled = false
      this.#flush()
    })
  }

  #flush() {
    if (this.#outputLength === 0) return
    const output = this.#output
    const length = this.#outputLength
    this.#output = this.#spareOutputs.pop() ?? Buffer.allocUnsafeSlow(outputBytes)
    this.#outputLength = 0
    this.#socket.write(output.subarray(0, length), () => this.#spareOutputs.push(output))
  }

  #receive(buffer, length) {
    this.#isInsideRead = true
    const at = this.#finishRest(buffer, length)
    const start = this.#consume(buffer, at, length)
    buffer.copy(this.#rest, this.#restLength, start, length)
    this.#restLength += length - start
    this.#isInsideRead = false
    if (this.#unacknowledgedBytes > connectionWindowBytes / 4) {
      this.#grantWindow(this.#unacknowledgedBytes)
      this.#unacknowledgedBytes = 0
    }
    this.#flush()
  }

  /**
   * Completes the frame that the last read left behind, and only that one: the others are looked at where they lie.
   * @returns what of the buffer belonged to it
   */
  #finishRest(buffer, length) {
    let at = 0
    while (this.#restLength > 0 && at < length) {
      const rest = this.#rest
      const wantedBytes =
        this.#restLength < frameHeaderBytes
          ? frameHeaderBytes
          : frameHeaderBytes + ((rest[0] << 16) | (rest[1] << 8) | rest[2])
      const taken = Math.min(wantedBytes - this.#restLength, length - at)
      buffer.copy(rest, this.#restLength, at, at + taken)
      at += taken
      this.#restLength += taken
      if (this.#restLength >= frameHeaderBytes && this.#consume(rest, 0, this.#restLength) > 0) {
        this.#restLength = 0
      }
    }
    return at
  }

  /** @returns behind the last whole frame */
  #consume(bytes, from, end) {
    let at = from
    while (at + frameHeaderBytes <= end) {
      const length = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2]
      const next = at + frameHeaderBytes + length
      if (next > end) break
      const streamId = bytes.readUInt32BE(at + 5) & 0x7f_ff_ff_ff
      this.#takeFrame(bytes, {
        frameType: bytes[at + 3],
        flags: bytes[at + 4],
        streamId,
        start: at + frameHeaderBytes,
        end: next,
      })
      at = next
    }
    return at
  }

  #takeFrame(bytes, frame) {
    switch (frame.frameType) {
      case type.data:
        this.#takeData(bytes, frame)
        break
      case type.headers:
        this.#takeHeaders(bytes, frame)
        break
      case type.windowUpdate:
        if (frame.streamId === 0) {
          this.#sendWindow += bytes.readUInt32BE(frame.start)
          this.#sendBlocked()
        }
        break
      case type.settings:
        if ((frame.flags & flag.ack) === 0) {
          this.#writeFrame(type.settings, flag.ack, 0, Buffer.alloc(0))
          this.settle.resolve()
        }
        break
      case type.ping:
        if ((frame.flags & flag.ack) === 0) {
          this.#writeFrame(type.ping, flag.ack, 0, bytes.subarray(frame.start, frame.end))
        }
        break
      case type.reset:
        // One that comes behind the trailers is grpc-go's habit when it answers before it has seen the end of the request.
        if (this.#streams.has(frame.streamId)) {
          this.#fail(new Error(`stream reset with code ${bytes.readUInt32BE(frame.start)}`))
        }
        break
      case type.goAway:
        this.#fail(new Error(`the server goes away: ${bytes.readUInt32BE(frame.start + 4)}`))
        break
      default:
    }
  }

  #takeData(bytes, { flags, streamId, start, end }) {
    this.#unacknowledgedBytes += end - start
    const handler = this.#streams.get(streamId)
    handler?.onData?.(bytes, start, end)
    if ((flags & flag.endStream) !== 0) this.#fail(new Error('a stream ended without trailers'))
  }

  #takeHeaders(bytes, { flags, streamId, start, end }) {
    const status = this.#statusReader.read(bytes, start, end)
    if ((flags & flag.endStream) === 0) return
    const handler = this.#streams.get(streamId)
    this.#streams.delete(streamId)
    handler?.onEnd(status ?? missingStatus)
  }

  #sendBlocked() {
    while (this.#blockedAt < this.#blocked.length) {
      const queued = this.#blocked[this.#blockedAt]
      if (this.#sendWindow < queued.body.length) return
      this.#blockedAt++
      this.#write(queued)
    }
    this.#blocked = []
    this.#blockedAt = 0
  }

  #fail(error) {
    if (this.#failure) return
    this.#failure = error
    this.settle.reject(error)
    this.#socket.destroy()
    this.#onFailure(error)
  }
}

/** The server ended a call with a status other than 0. */
export class CallFailed extends Error {
  name = 'CallFailed'
  constructor(path, status) {
    super(`${path} ended with status ${status}`)
    this.status = status
  }
}

/**
 * One call on a connection of its own.
 * @returns {Promise<Buffer>} the message of the answer, without its prefix
 * @throws {CallFailed}
 */
export function callOnce(port, path, body) {
  return new Promise((resolve, reject) => {
    const parts = []
    const connection = new Connection({ port, onFailure: reject })
    const onEnd = (status) => {
      connection.close()
      if (status === 0) resolve(Buffer.concat(parts).subarray(5))
      else reject(new CallFailed(path, status))
    }
    const onData = (bytes, start, end) => parts.push(Buffer.from(bytes.subarray(start, end)))
    connection.request(path, body, { onData, onEnd })
  })
}
