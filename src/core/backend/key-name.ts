/** Keys as names in maps. */

/** Undeclared in Node's types: decodes without making a Buffer first, which this store does for every key it meets. */
interface Decoder {
  latin1Slice(this: Uint8Array, start: number, end: number): string
}
const decoder = (globalThis as unknown as { Buffer: { prototype: Decoder } }).Buffer.prototype

/** The key as a string of one unit per byte. */
export function nameOfKey(key: Uint8Array): string {
  return decoder.latin1Slice.call(key, 0, key.length)
}
