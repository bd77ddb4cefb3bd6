/** Bytes being edited, with every change undoable. */

/** One change: what stood at a place, and what stands there now. */
interface HexChange {
  readonly at: number
  readonly removed: Uint8Array
  readonly inserted: Uint8Array
}

/** Changes that can be undone. */
const undoMax = 1_000

/** Bytes and what was done to them. */
export class HexDocument {
  private now: Uint8Array
  private readonly done: HexChange[] = []
  private readonly undone: HexChange[] = []

  constructor(bytes: Uint8Array) {
    this.now = bytes
  }

  /** The bytes as they stand; never changed in place. */
  get bytes(): Uint8Array {
    return this.now
  }

  /** Puts bytes in place of others; with none to remove it inserts, with none to insert it deletes. */
  replace(at: number, removedLength: number, inserted: Uint8Array): void {
    const start = Math.min(at, this.now.length)
    const removed = this.now.slice(start, start + removedLength)
    if (removed.length === 0 && inserted.length === 0) return
    const change = { at: start, removed, inserted }
    this.apply(change)
    this.done.push(change)
    if (this.done.length > undoMax) this.done.shift()
    this.undone.length = 0
  }

  /** Takes the newest change back. The answer is where it was; undefined when there is none. */
  undo(): number | undefined {
    const change = this.done.pop()
    if (change === undefined) return undefined
    this.apply({ at: change.at, removed: change.inserted, inserted: change.removed })
    this.undone.push(change)
    return change.at
  }

  /** Does again what was taken back last. */
  redo(): number | undefined {
    const change = this.undone.pop()
    if (change === undefined) return undefined
    this.apply(change)
    this.done.push(change)
    return change.at + change.inserted.length
  }

  private apply({ at, removed, inserted }: HexChange): void {
    const next = new Uint8Array(this.now.length - removed.length + inserted.length)
    next.set(this.now.subarray(0, at))
    next.set(inserted, at)
    next.set(this.now.subarray(at + removed.length), at + inserted.length)
    this.now = next
  }
}

/**
 * Where bytes occur next, going round at the end; -1 when they do not.
 *
 * @param step  1 looks on from `from`, -1 back from it
 */
export function findBytes(
  bytes: Uint8Array,
  wanted: Uint8Array,
  from: number,
  step: 1 | -1,
): number {
  const places = bytes.length - wanted.length + 1
  if (wanted.length === 0 || places <= 0) return -1
  const begin = ((from % places) + places) % places
  for (let count = 0, at = begin; count < places; count++, at = (at + step + places) % places) {
    if (bytes[at] === wanted[0] && matchesAt(bytes, wanted, at)) return at
  }
  return -1
}

/**
 * The bytes that somebody looks for: hexadecimal when it begins with `0x` or is made of pairs apart, else the text's own.
 */
export function searchedBytes(text: string): Uint8Array {
  const pairs = /^\s*(?:0x([\da-f]+)|([\da-f]{2}(?:\s+[\da-f]{2})+))\s*$/iu.exec(text)
  const digits = (pairs?.[1] ?? pairs?.[2])?.replaceAll(/\s/gu, '')
  return digits === undefined || digits.length % 2 === 1
    ? new TextEncoder().encode(text)
    : bytesOfHex(digits)
}

/** Bytes of hexadecimal digits, two a byte. */
export function bytesOfHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** A place that somebody typed: decimal, or hexadecimal with `0x`; undefined when it is none. */
export function parseOffset(text: string): number | undefined {
  const trimmed = text.trim()
  if (!/^(?:0x[\da-f]+|\d+)$/iu.test(trimmed)) return undefined
  const offset = Number(trimmed)
  return Number.isSafeInteger(offset) ? offset : undefined
}

function matchesAt(bytes: Uint8Array, wanted: Uint8Array, at: number): boolean {
  for (let index = 1; index < wanted.length; index++)
    if (bytes[at + index] !== wanted[index]) return false
  return true
}
