/**
 * Checks the checksums of many records with one pass over all of them.
 *
 * The problem: calling the native checksum for each of ten thousand small records costs several times what computing it
 * does. The plain idea: a CRC is linear, so from the checksums of some messages follows the one of all of them in a row.
 * That is worked out from what is stored with the records, a few table look-ups for each, and is compared with the checksum
 * of the row as it lies in memory, computed in one call. When a bit of any of the messages is wrong, the two differ.
 *
 * Example: what the register holds behind `ab` is what it holds behind `a`, carried over as many zero bytes as `b` has,
 * and on top of that what `b` leaves in an empty register. The first part needs no `b`, the second is in its checksum.
 *
 * Carrying over n zero bytes is done by the binary digits of n; there is one table for each.
 */

/** CRC-32C's polynomial, bits in reverse. */
const polynomial = 0x82f6_3b78
const empty = 0xffff_ffff

/** By byte: the register after it. */
const byteTable = makeByteTable()
/** For 1, 2, 4, … zero bytes: what each byte of the register becomes; four tables in a row. Made when they are needed. */
const carryTables: Int32Array[] = [makeCarryTable((register) => afterByte(register, 0))]

/** Sizes that come again and again have tables of their own, which cost about as much to make as they save in so many uses. */
const seenCountMin = 500
const rememberedCount = 64
const rememberedSizes = new Int32Array(rememberedCount).fill(-1)
const rememberedTables: (Int32Array | undefined)[] = []
const seenCounts = new Int32Array(rememberedCount)

/** The checksum of bytes that are only known by what they were made of. */
export class ChecksumFold {
  private register = empty | 0

  /** As it is for no bytes. */
  clear(): void {
    this.register = empty | 0
  }

  /** The CRC-32C of everything that was added. */
  get checksum(): number {
    return ~this.register >>> 0
  }

  addByte(byte: number): void {
    this.register = afterByte(this.register, byte)
  }

  /**
   * Adds a message by its checksum.
   * @param checksum  CRC-32C of the message, begun with `seed`
   */
  addMessage(sizeBytes: number, checksum: number, seed: number): void {
    // Both began with a register of their own; what differs between the two is carried over.
    this.register = carry(this.register ^ ~seed, sizeBytes) ^ ~checksum
  }
}

function afterByte(register: number, byte: number): number {
  return (byteTable[(register ^ byte) & 0xff] ?? 0) ^ (register >>> 8)
}

/** The register after so many zero bytes. */
function carry(register: number, sizeBytes: number): number {
  const place = sizeBytes % rememberedCount
  if (rememberedSizes[place] === sizeBytes) {
    const table = rememberedTables[place]
    if (table !== undefined) return applyTable(table, register)
    seenCounts[place] = (seenCounts[place] ?? 0) + 1
    if (seenCounts[place] === seenCountMin) rememberedTables[place] = tableFor(sizeBytes)
  } else {
    rememberedSizes[place] = sizeBytes
    rememberedTables[place] = undefined
    seenCounts[place] = 0
  }
  return carryByDigits(register, sizeBytes)
}

function carryByDigits(register: number, sizeBytes: number): number {
  let carried = register
  for (let digit = 0, rest = sizeBytes; rest > 0; digit++, rest >>>= 1) {
    if ((rest & 1) !== 0) carried = applyTable(carryTable(digit), carried)
  }
  return carried
}

function tableFor(sizeBytes: number): Int32Array {
  return makeCarryTable((register) => carryByDigits(register, sizeBytes))
}

function carryTable(digit: number): Int32Array {
  while (carryTables.length <= digit) {
    const half = carryTables[carryTables.length - 1] ?? new Int32Array()
    carryTables.push(makeCarryTable((register) => applyTable(half, applyTable(half, register))))
  }
  return carryTables[digit] ?? new Int32Array()
}

function applyTable(table: Int32Array, register: number): number {
  return (
    (table[register & 0xff] ?? 0) ^
    (table[0x100 + ((register >>> 8) & 0xff)] ?? 0) ^
    (table[0x200 + ((register >>> 16) & 0xff)] ?? 0) ^
    (table[0x300 + (register >>> 24)] ?? 0)
  )
}

function makeCarryTable(carryOver: (register: number) => number): Int32Array {
  const table = new Int32Array(0x400)
  for (let place = 0; place < 4; place++) {
    for (let byte = 0; byte < 0x100; byte++) {
      table[place * 0x100 + byte] = carryOver(byte << (place * 8))
    }
  }
  return table
}

function makeByteTable(): Int32Array {
  const table = new Int32Array(0x100)
  for (let byte = 0; byte < 0x100; byte++) {
    let register = byte
    for (let bit = 0; bit < 8; bit++) {
      register = (register & 1) === 0 ? register >>> 1 : (register >>> 1) ^ polynomial
    }
    table[byte] = register
  }
  return table
}
