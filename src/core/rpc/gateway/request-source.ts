/** The messages that a request of the gateway holds, read as they are asked for. */
import type { DescMessage } from '@bufbuild/protobuf'
import type { HttpExchange } from '../http-exchange.ts'
import { WireError } from '../status-mapping.ts'
import { messageOfJson } from './json-messages.ts'
import { JsonSequence, JsonValueTooLarge } from './json-sequence.ts'

/** JSON may take this much more room than the message it tells: base64, escapes, names. */
const jsonGrowth = 2
const jsonOverheadBytes = 65_536

/** How large JSON may be that tells a message of this size, both in bytes. */
export function jsonSizeBytesMax(messageSizeBytesMax: number): number {
  return jsonGrowth * messageSizeBytesMax + jsonOverheadBytes
}

/** Reads one body. */
export class RequestSource {
  private readonly type: DescMessage
  private readonly messageSizeBytesMax: number
  private readonly pieces: AsyncIterator<Uint8Array>
  private readonly sequence: JsonSequence
  private readonly values: string[] = []
  private hasAllArrived = false

  constructor(exchange: HttpExchange, type: DescMessage, messageSizeBytesMax: number) {
    this.type = type
    this.messageSizeBytesMax = messageSizeBytesMax
    // By hand: a loop that is left ends the connection, and with it the answer.
    this.pieces = exchange.body[Symbol.asyncIterator]()
    this.sequence = new JsonSequence(jsonSizeBytesMax(messageSizeBytesMax))
  }

  /**
   * The next message; undefined when there are no more.
   * @throws WireError  it is no such message, or too large
   * @throws Error  the client went away
   */
  async next(): Promise<Uint8Array | undefined> {
    while (this.values.length === 0 && !this.hasAllArrived) await this.readOn()
    const value = this.values.shift()
    if (value === undefined) return undefined
    const message = messageOfJson(this.type, value)
    if (message.length > this.messageSizeBytesMax)
      throw tooLarge(message.length, this.messageSizeBytesMax)
    return message
  }

  /** Reads and drops what is left, so that the connection can be used again. Never rejects. */
  async drain(): Promise<void> {
    this.values.length = 0
    try {
      while (!this.hasAllArrived) {
        const { done } = await this.pieces.next()
        this.hasAllArrived = done === true
      }
    } catch {
      // The client has gone, which the call learns by itself.
      this.hasAllArrived = true
    }
  }

  private async readOn(): Promise<void> {
    const result = await this.pieces.next()
    if (result.done === true) {
      this.hasAllArrived = true
      const rest = this.sequence.finish()
      if (rest !== undefined) this.values.push(rest)
      return
    }
    try {
      for (const value of this.sequence.push(result.value)) this.values.push(value)
    } catch (error) {
      if (!(error instanceof JsonValueTooLarge)) throw error
      throw new WireError('resourceExhausted', 'grpc: received message larger than max', {
        cause: error,
      })
    }
  }
}

function tooLarge(sizeBytes: number, sizeBytesMax: number): WireError {
  return new WireError(
    'resourceExhausted',
    `grpc: received message larger than max (${sizeBytes} vs. ${sizeBytesMax})`,
  )
}
