/**
 * From header blocks to requests.
 *
 * Clients repeat themselves: the same method with the same metadata is the same few bytes, as long as the table they
 * refer to has not changed. Such blocks are read once.
 */
import type { HeaderField } from './hpack-tables.ts'
import { HpackDecoder } from './hpack-decoder.ts'
import { areTrailersValid, parseRequestHead, type RequestHead } from './request-head.ts'

/** Largest header list, as HTTP/2 counts it; announced to clients. */
export const headerListSizeBytesMax = 65_536
/** Larger blocks are not worth remembering. */
const keptBlockBytesMax = 256
const keptHeadCountMax = 64

/** How a stream begins, beside its head. */
export interface Opening {
  /** There is nothing but the head. */
  readonly isEnd: boolean
  /** See {@link ownHeadBytes}. */
  readonly headBytes: number
}

/**
 * Memory, in bytes, of the head that a block was decoded to, as far as no other stream shares it. Texts come in a byte for
 * each character, and a character takes five bits at least; what the block only refers to lies in the tables.
 */
export function ownHeadBytes(block: Buffer): number {
  return block.length > keptBlockBytesMax ? block.length * 2 : 0
}

/** A request that can be served, or why not. */
export type RequestOutcome = RequestHead | 'malformed' | 'tooLarge'

/** The requests of one connection. Every block must pass through here, in order. */
export class RequestDecoder {
  private readonly hpack = new HpackDecoder(headerListSizeBytesMax)
  private readonly kept = new Map<string, RequestHead>()
  private keptGeneration = 0
  /** One of those kept, which most requests repeat. */
  private latestBlock: Buffer | undefined
  private latestHead: RequestHead | undefined

  /** What the block in `buffer[start, end)` means, if it is the same as the latest one. */
  findLatest(buffer: Buffer, start: number, end: number): RequestHead | undefined {
    const { latestBlock } = this
    if (latestBlock?.length !== end - start) return undefined
    if (this.hpack.generation !== this.keptGeneration) return undefined
    for (let position = 0; position < latestBlock.length; position++) {
      if (latestBlock[position] !== buffer[start + position]) return undefined
    }
    return this.latestHead
  }

  /** @throws ConnectionError  the block cannot be decoded */
  decodeRequest(block: Buffer): RequestOutcome {
    if (block.length > keptBlockBytesMax) return this.parse(block)
    const key = block.toString('latin1')
    const generation = this.hpack.generation
    if (generation !== this.keptGeneration) {
      this.kept.clear()
      this.latestBlock = undefined
      this.keptGeneration = generation
    }
    const known = this.kept.get(key)
    if (known !== undefined) {
      this.latestBlock = Buffer.from(block)
      this.latestHead = known
      return known
    }
    const outcome = this.parse(block)
    const isRepeatable = this.hpack.generation === generation
    if (isRepeatable && typeof outcome === 'object') {
      if (this.kept.size >= keptHeadCountMax) this.kept.clear()
      this.kept.set(key, outcome)
    }
    return outcome
  }

  /** Reads fields after a request's content. @throws ConnectionError  the block cannot be decoded */
  decodeTrailers(block: Buffer): 'valid' | 'malformed' {
    return areTrailersValid(this.decode(block) ?? []) ? 'valid' : 'malformed'
  }

  private parse(block: Buffer): RequestOutcome {
    const list = this.decode(block)
    return list === undefined ? 'tooLarge' : (parseRequestHead(list) ?? 'malformed')
  }

  private decode(block: Buffer): readonly HeaderField[] | undefined {
    const { fields, isTooLarge } = this.hpack.decode(block)
    return isTooLarge ? undefined : fields
  }
}
