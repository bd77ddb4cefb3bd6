/**
 * Where in a long list a key may stand that nobody has read yet.
 *
 * Keys are read as numbers whose digits are the bytes that keys were seen to hold at each place. Between `/k/0000` and
 * `/k/9999` every place holds a digit, so that halfway is `/k/5000` and not a byte that no key has there.
 */

import type { KeyColumns } from '../../preload/contract/kv.ts'
import { compareKeys, findPrefixEnd, successor } from './key-order.ts'

/** Places looked at; names that differ only behind them are told apart by halving. */
const placesMax = 256
/** Rows of a page that are looked at: they show the bytes that its keys are made of. */
const samplesMax = 64
/** A double holds whole numbers up to 2^53. */
const numberMax = 2 ** 48

interface Bounds {
  readonly from: Uint8Array
  readonly to: Uint8Array | undefined
}

/** How to guess. The first trusts the places most; the last finds everything in the end. */
export type GuessWay = 'byPlace' | 'byPrefix' | 'byHalf'

/** What keys of a list were seen to be made of. */
export class KeyShape {
  private readonly places: Uint8Array[] = []
  private readonly everywhere = new Uint8Array(256)
  private digits: (readonly number[])[] = []
  private alphabet: readonly number[] = []
  private isStale = true

  /** Looks at some keys of a page. */
  learn({ keyBytes, keyOffsets, rowCount }: KeyColumns): void {
    const step = 1 + Math.floor(rowCount / samplesMax)
    for (let row = 0; row < rowCount; row += step)
      this.learnKey(keyBytes.subarray(keyOffsets[row], keyOffsets[row + 1]))
  }

  learnKey(key: Uint8Array): void {
    const length = Math.min(placesMax, key.length)
    for (let at = 0; at < length; at++) {
      const byte = key[at] ?? 0
      const place = (this.places[at] ??= new Uint8Array(256))
      if (place[byte] === 1) continue
      place[byte] = 1
      this.everywhere[byte] = 1
      this.isStale = true
    }
  }

  /**
   * A key about `fraction` of the way between two others.
   *
   * @returns undefined when no key lies between the two
   */
  guess(bounds: Bounds, fraction: number, way: GuessWay): Uint8Array | undefined {
    this.refresh()
    const byPlace = (at: number): readonly number[] => this.digits[at] ?? this.alphabet
    const guesses = [
      ...(way === 'byPlace' ? [() => interpolate(bounds, fraction, byPlace)] : []),
      ...(way === 'byPrefix' ? [() => leavePrefix(bounds)] : []),
      () => halve(bounds, this.alphabet),
      () => halve(bounds, everyByte),
    ]
    for (const make of guesses) {
      const guess = make()
      if (guess !== undefined && isBetween(guess, bounds)) return guess
    }
    const next = successor(bounds.from)
    return isBetween(next, bounds) ? next : undefined
  }

  private refresh(): void {
    if (!this.isStale) return
    this.isStale = false
    this.digits = this.places.map((place) => completed(bytesOf(place)))
    this.alphabet = completed(bytesOf(this.everywhere))
  }
}

const everyByte: readonly number[] = Array.from({ length: 256 }, (_, byte) => byte)
const decimalDigits = bytesOfText('0123456789')
const hexDigits = bytesOfText('0123456789abcdef')

function bytesOfText(text: string): readonly number[] {
  return Array.from(text, (character) => character.charCodeAt(0))
}

function bytesOf(place: Uint8Array): readonly number[] {
  return everyByte.filter((byte) => place[byte] === 1)
}

/** Where some digits of a number were seen, the others will be too. */
function completed(seen: readonly number[]): readonly number[] {
  if (!seen.some((byte) => decimalDigits.includes(byte))) return seen
  const isHex = seen.length > 1 && seen.every((byte) => hexDigits.includes(byte))
  const hasLetter = seen.some((byte) => byte >= 0x61)
  const more = isHex && hasLetter ? hexDigits : decimalDigits
  return [...new Set([...seen, ...more])].sort((left, right) => left - right)
}

function isBetween(key: Uint8Array, { from, to }: Bounds): boolean {
  return compareKeys(key, from) > 0 && (to === undefined || compareKeys(key, to) < 0)
}

function interpolate(
  { from, to }: Bounds,
  fraction: number,
  digitsAt: (place: number) => readonly number[],
): Uint8Array {
  let shared = 0
  if (to !== undefined) while (shared < to.length && from[shared] === to[shared]) shared++
  const alphabets: (readonly number[])[] = []
  let size = 1
  while (alphabets.length < placesMax) {
    const digits = digitsAt(shared + alphabets.length)
    if (digits.length === 0 || size * digits.length > numberMax) break
    size *= digits.length
    alphabets.push(digits)
  }
  const numberOf = (key: Uint8Array): number =>
    alphabets.reduce((value, digits, at) => {
      const byte = key[shared + at]
      return value * digits.length + (byte === undefined ? 0 : rankOf(digits, byte))
    }, 0)
  const low = numberOf(from)
  const high = to === undefined ? size : numberOf(to)
  let rest = Math.floor(low + (high - low) * fraction)
  const tail: number[] = []
  for (const digits of [...alphabets].reverse()) {
    tail.unshift(digits[rest % digits.length] ?? 0)
    rest = Math.floor(rest / digits.length)
  }
  return Uint8Array.of(...from.subarray(0, shared), ...tail)
}

/**
 * The end of half of the lower key's prefixes: names share long beginnings (`/registry/pods/`), and whether a place lies
 * inside of one is answered for a whole beginning at once.
 */
function leavePrefix(bounds: Bounds): Uint8Array | undefined {
  const { from, to } = bounds
  let shortest = 1
  while (shortest <= from.length) {
    const end = findPrefixEnd(from.subarray(0, shortest))
    if (end !== undefined && (to === undefined || compareKeys(end, to) < 0)) break
    shortest++
  }
  return shortest > from.length
    ? undefined
    : findPrefixEnd(from.subarray(0, (shortest + from.length) >> 1))
}

/** Halves what the first place holds where two neighbours leave room for a third: the sure way, a few steps a place. */
function halve({ from, to }: Bounds, digits: readonly number[]): Uint8Array | undefined {
  let shared = 0
  if (to !== undefined) while (shared < to.length && from[shared] === to[shared]) shared++
  for (let at = shared; at <= Math.min(from.length, placesMax); at++) {
    const byte = from[at]
    const ceiling = at === shared ? to?.[at] : undefined
    const low = byte === undefined ? -1 : rankOf(digits, byte)
    const high = ceiling === undefined ? digits.length : rankOf(digits, ceiling)
    const middle = digits[(low + high) >> 1]
    if (high - low >= 2 && middle !== undefined)
      return Uint8Array.of(...from.subarray(0, at), middle)
  }
  return undefined
}

/** Position of a byte among ascending ones, or where it would stand. */
function rankOf(digits: readonly number[], byte: number): number {
  let low = 0
  let high = digits.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((digits[middle] ?? 0) < byte) low = middle + 1
    else high = middle
  }
  return Math.min(low, digits.length - 1)
}
