/**
 * The Huffman code of HPACK.
 *
 * The code is canonical: among codes of one length the smaller symbol has the smaller code, and longer codes follow the
 * shorter ones. The lengths therefore say everything, and codes and tables are computed from them.
 *
 * Decoding takes four bits at a step. The shortest code has five bits, so a step completes one symbol at most. A state is
 * an inner node of the code's tree; there are 256.
 *
 * @see RFC 7541, section 5.2 and appendix B
 */

/** Bits of the code of each byte, and of the end mark (256), as letters: A is five. */
const codeLengths =
  'ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJB' +
  'KABABABBBACCBBBABCBAABCCCCCKGJIXPRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVV' +
  'PORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWVZ'
const endMark = 256

const lengths = Array.from(codeLengths, (letter) => letter.charCodeAt(0) - 60)

/** The code of each symbol, right-aligned. */
const codes = canonicalCodes()

function canonicalCodes(): Uint32Array {
  const result = new Uint32Array(lengths.length)
  const bitsMax = Math.max(...lengths)
  let code = 0
  for (let bits = 1; bits <= bitsMax; bits++) {
    code <<= 1
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] === bits) result[symbol] = code++
    }
  }
  return result
}

/** An end mark inside a string is an error, as is padding that does not begin it. */
const failState = -1

interface DecodeTables {
  /** State after four bits in a state: `state * 16 + bits`; {@link failState} for a mistake. */
  readonly nextStates: Int16Array
  /** The symbol completed by those bits, or -1. */
  readonly symbols: Int16Array
  /** 1 for states in which a string may end: at most seven bits, all ones, since the last symbol. */
  readonly isEnd: Uint8Array
}

const tables = decodeTables()

function decodeTables(): DecodeTables {
  // Children of each inner node: another inner node, or ~symbol.
  const children: [number, number][] = [[0, 0]]
  for (let symbol = 0; symbol < lengths.length; symbol++) insertCode(children, symbol)
  const nextStates = new Int16Array(children.length * 16)
  const symbols = new Int16Array(children.length * 16).fill(-1)
  for (let index = 0; index < nextStates.length; index++) {
    let state = index >> 4
    for (let bit = 3; bit >= 0 && state !== failState; bit--) {
      const child = children[state]?.[(index >> bit) & 1] ?? 0
      if (child >= 0) {
        state = child
        continue
      }
      state = ~child === endMark ? failState : 0
      symbols[index] = ~child
    }
    nextStates[index] = state
  }
  const isEnd = new Uint8Array(children.length)
  let state = 0
  for (let bitCount = 0; bitCount < 8; bitCount++) {
    isEnd[state] = 1
    state = children[state]?.[1] ?? 0
  }
  return { nextStates, symbols, isEnd }
}

function insertCode(children: [number, number][], symbol: number): void {
  const code = codes[symbol] ?? 0
  let node = children[0]
  for (let bit = (lengths[symbol] ?? 0) - 1; bit > 0 && node !== undefined; bit--) {
    const side = ((code >> bit) & 1) as 0 | 1
    if (node[side] === 0) {
      node[side] = children.length
      children.push([0, 0])
    }
    node = children[node[side]]
  }
  if (node !== undefined) node[(code & 1) as 0 | 1] = ~symbol
}

/**
 * Decodes `source[start, end)` into `target`, which has room for eight fifths of it.
 * @returns the number of bytes written, or -1 when the string is malformed
 */
export function decodeHuffman(
  source: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  target: Uint8Array,
): number {
  const { nextStates, symbols, isEnd } = tables
  let state = 0
  let written = 0
  for (let position = start; position < end; position++) {
    const byte = source[position] ?? 0
    for (let shift = 4; shift >= 0; shift -= 4) {
      const index = (state << 4) | ((byte >> shift) & 15)
      state = nextStates[index] ?? failState
      if (state === failState) return -1
      const symbol = symbols[index] ?? -1
      if (symbol >= 0) target[written++] = symbol
    }
  }
  return isEnd[state] === 1 ? written : -1
}

/** Bytes that `text` takes in the code. */
export function huffmanSizeBytes(text: string): number {
  let bitCount = 0
  for (let position = 0; position < text.length; position++) {
    bitCount += lengths[text.charCodeAt(position) & 0xff] ?? 0
  }
  return (bitCount + 7) >> 3
}

/** The code of `text`, padded with ones. */
export function encodeHuffman(text: string): Uint8Array {
  const target = new Uint8Array(huffmanSizeBytes(text))
  let offset = 0
  let pending = 0
  let pendingBits = 0
  for (let position = 0; position < text.length; position++) {
    const symbol = text.charCodeAt(position) & 0xff
    const bits = lengths[symbol] ?? 0
    // At most 7 bits wait and a code has at most 30: more than 32 bits, so numbers are multiplied and not shifted.
    pending = pending * 2 ** bits + (codes[symbol] ?? 0)
    pendingBits += bits
    while (pendingBits >= 8) {
      pendingBits -= 8
      const unit = 2 ** pendingBits
      target[offset++] = Math.floor(pending / unit)
      pending %= unit
    }
  }
  if (pendingBits > 0) {
    target[offset] = (pending << (8 - pendingBits)) | (0xff >> pendingBits)
  }
  return target
}
