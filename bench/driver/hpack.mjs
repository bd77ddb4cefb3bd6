/**
 * Just as much HPACK (RFC 7541) as a load generator needs: request headers that shrink to one byte a field after the first
 * request, as those of a real client do, and the gRPC status out of trailers.
 */

function integer(value, prefixBits, firstByte) {
  const limit = 2 ** prefixBits - 1
  if (value < limit) return [firstByte | value]
  const bytes = [firstByte | limit]
  let rest = value - limit
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest >>>= 7
  }
  bytes.push(rest)
  return bytes
}

function text(value) {
  const bytes = Buffer.from(value, 'latin1')
  return [...integer(bytes.length, 7, 0), ...bytes]
}

const methodPost = 0x83
const schemeHttp = 0x86
const staticNames = { ':authority': 1, ':path': 4, 'content-type': 31 }
const dynamicStart = 62

/** The header blocks of one connection. */
export class RequestHeaders {
  #fields
  #inserted = []
  #blocks = new Map()

  constructor(authority) {
    this.#fields = [
      [':authority', authority],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
    ]
  }

  /** The block for a call of `path`; valid for the very next request only. */
  blockFor(path) {
    const known = this.#blocks.get(path)
    if (known) return known
    const bytes = [methodPost, schemeHttp]
    const before = this.#inserted.length
    for (const [name, value] of [[':path', path], ...this.#fields]) {
      bytes.push(...this.#encode(name, value))
    }
    const block = Buffer.from(bytes)
    // Insertions move the places of all earlier entries, so that blocks made before are void.
    if (this.#inserted.length > before) this.#blocks.clear()
    else this.#blocks.set(path, block)
    return block
  }

  #encode(name, value) {
    const entry = `${name}\n${value}`
    const position = this.#inserted.indexOf(entry)
    if (position >= 0) {
      return integer(dynamicStart + this.#inserted.length - 1 - position, 7, 0x80)
    }
    this.#inserted.push(entry)
    const staticIndex = staticNames[name]
    const nameBytes = staticIndex ? integer(staticIndex, 6, 0x40) : [0x40, ...text(name)]
    return [...nameBytes, ...text(value)]
  }
}

// "grpc-status" as it is and in the Huffman code of the RFC's appendix B.
const plainStatus = 'grpc-status'
const huffmanStatus = huffman({
  g: '100110',
  r: '101100',
  p: '101011',
  c: '00100',
  '-': '010110',
  s: '01000',
  t: '01001',
  a: '00011',
  u: '101101',
})
const huffmanDigits = '00000 00001 00010 011001 011010 011011 011100 011101 011110 011111'.split(
  ' ',
)

function huffman(codes) {
  const bits = [...'grpc-status'].map((letter) => codes[letter]).join('')
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1')
  return String.fromCharCode(...padded.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)))
}

function digitsOf(bytes, isHuffman) {
  if (!isHuffman) return Number(bytes.toString('latin1'))
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  let digits = ''
  for (;;) {
    const digit = huffmanDigits.findIndex((code) => bits.startsWith(code))
    if (digit < 0) return Number(digits)
    digits += String(digit)
    bits = bits.slice(huffmanDigits[digit].length)
  }
}

const staticEntryCount = 61
/** Far from the 4096 bytes at which entries would begin to fall out, which are not counted here. */
const maxDynamicEntries = 40

/**
 * Finds the gRPC status in the header blocks of one connection. Every block must be shown to it, because blocks build on each other.
 * Texts stay encoded: the name that is looked for is known in both its forms.
 */
export class StatusReader {
  /** Newest first: the status of each entry that is one, and undefined for all others. */
  #entries = []
  #known = new Map()

  /** The number of `grpc-status` in the block, or undefined when there is none. */
  read(bytes, start, end) {
    const block = bytes.latin1Slice(start, end)
    const known = this.#known.get(block)
    if (known !== undefined) return known.status
    const entryCount = this.#entries.length
    const status = this.#decode(bytes.subarray(start, end))
    if (this.#entries.length > entryCount) this.#known.clear()
    else if (this.#known.size < 1000) this.#known.set(block, { status })
    return status
  }

  #decode(block) {
    const state = { block, at: 0 }
    let status
    while (state.at < block.length) {
      const first = block[state.at]
      if ((first & 0x80) !== 0) {
        const index = readInteger(state, 7)
        status ??= this.#entries[index - staticEntryCount - 1]
      } else if ((first & 0xe0) === 0x20) readInteger(state, 5)
      else {
        const isInserted = (first & 0x40) !== 0
        const index = readInteger(state, isInserted ? 6 : 4)
        const isStatus = index === 0 ? isStatusName(readText(state)) : this.#isStatus(index)
        const value = readText(state)
        const found = isStatus ? digitsOf(value.bytes, value.isHuffman) : undefined
        status ??= found
        if (isInserted) this.#insert(found)
      }
    }
    return status
  }

  #isStatus(index) {
    return this.#entries[index - staticEntryCount - 1] !== undefined
  }

  #insert(status) {
    this.#entries.unshift(status)
    if (this.#entries.length > maxDynamicEntries) throw new Error('too many different headers')
  }
}

function readInteger(state, prefixBits) {
  const limit = 2 ** prefixBits - 1
  let value = state.block[state.at++] & limit
  if (value < limit) return value
  let scale = 1
  for (;;) {
    const byte = state.block[state.at++]
    value += (byte & 127) * scale
    if (byte < 128) return value
    scale *= 128
  }
}

function readText(state) {
  const isHuffman = (state.block[state.at] & 0x80) !== 0
  const length = readInteger(state, 7)
  const bytes = state.block.subarray(state.at, state.at + length)
  state.at += length
  return { bytes, isHuffman }
}

const isStatusName = ({ bytes, isHuffman }) =>
  bytes.toString('latin1') === (isHuffman ? huffmanStatus : plainStatus)
