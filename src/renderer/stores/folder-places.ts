/** Places of keys in the tree of their folders: where a folder begins and ends. */

import { compareKeys, findPrefixEnd } from './key-order.ts'

/** Where the keys end that begin like a place but for its last `width` bytes; undefined: not before the parent's end. */
export function boundBehind(
  from: Uint8Array,
  width: number,
  parent: Uint8Array,
): Uint8Array | undefined {
  const length = from.length - width
  return length <= parent.length ? undefined : findPrefixEnd(from.subarray(0, length))
}

/** Whether two places are the same; undefined stands for the end of all keys. */
export function isSame(left: Uint8Array | undefined, right: Uint8Array | undefined): boolean {
  if (left === undefined || right === undefined) return left === right
  return compareKeys(left, right) === 0
}

/** The prefix of the level that a node stands in. */
export function parentOf(
  node: { readonly path: Uint8Array; readonly isFolder: boolean },
  separator: Uint8Array,
): Uint8Array {
  const length = node.isFolder ? node.path.length - separator.length : node.path.length
  for (let at = length - separator.length; at > 0; at--) {
    if (startsWith(node.path, separator, at)) return node.path.slice(0, at + separator.length)
  }
  return new Uint8Array(0)
}

/** Where the folder of a key ends, behind its separator. A separator at the very start belongs to the first name. */
export function folderEnd(
  key: Uint8Array,
  start: number,
  separator: Uint8Array,
): number | undefined {
  if (separator.length === 0) return undefined
  const from = start === 0 && startsWith(key, separator, 0) ? separator.length : start
  for (let at = from; at + separator.length <= key.length; at++) {
    if (startsWith(key, separator, at)) return at + separator.length
  }
  return undefined
}

function startsWith(bytes: Uint8Array, part: Uint8Array, at: number): boolean {
  return part.every((byte, index) => bytes[at + index] === byte)
}

interface NamedPlace {
  readonly name: string
  readonly isFolder: boolean
  readonly isAlsoKey: boolean
}

/** A name that is both key and folder stands once, marked as both. */
export function foldersWithKeys<Place extends NamedPlace>(
  places: readonly Place[],
): readonly Place[] {
  const keys = new Set(places.filter((one) => !one.isFolder).map((one) => one.name))
  const folders = new Set(places.filter((one) => one.isFolder).map((one) => one.name))
  return places
    .filter((one) => one.isFolder || !folders.has(one.name))
    .map((one) => (one.isFolder && keys.has(one.name) ? { ...one, isAlsoKey: true } : one))
}

/** The key that has the name of a folder, where there is one. */
export function keyOfFolder(
  folder: { readonly path: Uint8Array; readonly isAlsoKey: boolean },
  separator: Uint8Array,
): Uint8Array | undefined {
  return folder.isAlsoKey ? folder.path.slice(0, folder.path.length - separator.length) : undefined
}
