/** A connection in memory with a client that sends frames byte by byte, right and wrong. */
import { Duplex } from 'node:stream'
import type { KeepaliveOptions } from '../../../../../src/core/rpc/http2/connection-guard.ts'
import { HpackDecoder } from '../../../../../src/core/rpc/http2/hpack-decoder.ts'
import {
  HpackEncoder,
  type OutgoingField,
} from '../../../../../src/core/rpc/http2/hpack-encoder.ts'
import { ServerConnection } from '../../../../../src/core/rpc/http2/server-connection.ts'
import type {
  ServerStream,
  StreamHandler,
} from '../../../../../src/core/rpc/http2/server-stream.ts'
import { TurnEnd } from '../../../../../src/core/rpc/http2/turn-end.ts'
import { ManualClock } from '../../../../helpers/manual-clock.ts'

export interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function frame(
  type: number,
  { flags = 0, streamId = 0 }: { flags?: number; streamId?: number },
  payload: Uint8Array = new Uint8Array(),
): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}

export function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function setting(identifier: number, value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(identifier)
  bytes.writeUInt32BE(value, 2)
  return bytes
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A socket whose other end is the test. */
class TestSocket extends Duplex {
  readonly written: Buffer[] = []
  writeCount = 0
  /** Whether the system takes what is written. */
  isTaking = true
  private waiting: (() => void)[] = []

  override _read(): void {
    // The test pushes.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writeCount++
    this.written.push(chunk)
    if (this.isTaking) done()
    else this.waiting.push(done)
  }

  takeAll(): void {
    this.isTaking = true
    for (const done of this.waiting.splice(0)) done()
  }
}

/** What a stream of the server was told. */
export class StreamRecord implements StreamHandler {
  readonly stream: ServerStream
  readonly chunks: Buffer[] = []
  endCount = 0
  drainCount = 0
  closeCount = 0

  constructor(stream: ServerStream) {
    this.stream = stream
    stream.serve(this)
  }

  get content(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }
  dataReceived(chunk: Buffer): void {
    this.chunks.push(chunk)
  }
  endReceived(): void {
    this.endCount++
  }
  drained(): void {
    this.drainCount++
  }
  closed(): void {
    this.closeCount++
  }
}

export const requestFields: readonly OutgoingField[] = [
  { name: ':method', value: 'POST' },
  { name: ':scheme', value: 'http' },
  { name: ':path', value: '/a' },
]

export interface RawConnectionOptions {
  readonly concurrentStreamsMax?: number
  readonly onPing?: () => string | undefined
  readonly keepalive?: KeepaliveOptions
}

export class RawConnection {
  readonly clock = new ManualClock()
  readonly socket = new TestSocket()
  readonly streams: StreamRecord[] = []
  readonly failures: string[] = []
  closeCount = 0
  /** Serves streams in place of the records. */
  onStream: ((stream: ServerStream) => void) | undefined
  readonly server: ServerConnection
  readonly encoder = new HpackEncoder()
  private readonly decoder = new HpackDecoder(65_536)
  private received = Buffer.alloc(0)

  constructor(options: RawConnectionOptions = {}) {
    this.server = new ServerConnection(this.socket, {
      clock: this.clock,
      turnEnd: new TurnEnd(this.clock),
      concurrentStreamsMax: options.concurrentStreamsMax ?? 100,
      onStream: (stream) => {
        if (this.onStream === undefined) this.streams.push(new StreamRecord(stream))
        else this.onStream(stream)
      },
      onPing: options.onPing ?? (() => undefined),
      ...(options.keepalive === undefined ? {} : { keepalive: options.keepalive }),
      onClose: () => this.closeCount++,
      onFailure: (reason) => this.failures.push(reason),
    })
  }

  /** Preface and settings, and the server's own taken off. */
  async greet(...settings: readonly Buffer[]): Promise<void> {
    await this.send(preface, frame(4, {}, Buffer.concat(settings)))
    this.frames()
  }

  async send(...bytes: readonly Buffer[]): Promise<void> {
    this.socket.push(Buffer.concat(bytes))
    await turn()
  }

  request(streamId: number, { isEnd = false, extra = [] as OutgoingField[] } = {}): Buffer {
    const block = this.encoder.encode([...requestFields, ...extra])
    return frame(1, { flags: 4 | (isEnd ? 1 : 0), streamId }, block)
  }

  /** Frames that have arrived since the last time. */
  frames(): ReceivedFrame[] {
    this.received = Buffer.concat([this.received, ...this.socket.written.splice(0)])
    const frames: ReceivedFrame[] = []
    while (this.received.length >= 9) {
      const end = 9 + this.received.readUIntBE(0, 3)
      if (this.received.length < end) break
      frames.push({
        type: this.received[3]!,
        flags: this.received[4]!,
        streamId: this.received.readUInt32BE(5),
        payload: this.received.subarray(9, end),
      })
      this.received = this.received.subarray(end)
    }
    return frames
  }

  /** The frames as short texts. */
  texts(): string[] {
    return this.frames().map((each) => this.textOf(each))
  }

  private textOf({ type, flags, streamId, payload }: ReceivedFrame): string {
    const end = (flags & 1) === 1 ? ' end' : ''
    switch (type) {
      case 0:
        return `DATA ${streamId} ${payload.length}${end}`
      case 1:
        return `HEADERS ${streamId} ${this.decoder
          .decode(payload)
          .fields.map(({ name, value }) => `${name}=${value}`)
          .join(' ')}${end}`
      case 3:
        return `RST ${streamId} ${payload.readUInt32BE()}`
      case 4:
        return flags === 1 ? 'SETTINGS ack' : `SETTINGS ${payload.toString('hex')}`
      case 6:
        return `PING ${flags === 1 ? 'ack ' : ''}${payload.toString('latin1')}`
      case 7:
        return `GOAWAY ${payload.readUInt32BE()} ${payload.readUInt32BE(4)} ${payload.toString('latin1', 8)}`
      case 8:
        return `WINDOW ${streamId} ${payload.readUInt32BE()}`
      default:
        return `type ${type}`
    }
  }
}
