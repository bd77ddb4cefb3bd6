/**
 * Just as much HPACK (RFC 7541) as a load generator needs: request headers that shrink to one byte a field after the first
 * request, as those of a real client do, and the gRPC status out of trailers that were written without a dynamic table.
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
const plainStatus = Buffer.from('grpc-status', 'latin1').toString('latin1')
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

/** The number of `grpc-status` in a header block, or undefined when there is none. */
export function grpcStatusOf(block) {
  for (const [name, isHuffman] of [
    [plainStatus, false],
    [huffmanStatus, true],
  ]) {
    const place = block.indexOf(name, 0, 'latin1')
    if (place < 0 || (block[place - 1] & 0x80) !== (isHuffman ? 0x80 : 0)) continue
    const valueAt = place + name.length
    const length = block[valueAt] & 0x7f
    return digitsOf(
      block.subarray(valueAt + 1, valueAt + 1 + length),
      (block[valueAt] & 0x80) !== 0,
    )
  }
  return undefined
}
