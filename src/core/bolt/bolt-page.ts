import { compareBytes } from '../base/bytes.ts'
import {
  bucketElementFlag,
  elementSizeBytes,
  pageFlags,
  pageHeaderSizeBytes,
  readPageHeader,
  readUint64Le,
  viewOf,
  type BoltPageHeader,
} from './bolt-format.ts'

/** One record of a bucket. The bytes are shared with the page: never write to them. */
export interface BoltRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** The value is a bucket of its own: its header, and its page where it is kept inline. */
  readonly isBucket: boolean
}

/** A page of a tree, read and checked in itself. */
export type BoltTreePage =
  | { readonly kind: 'leaf'; readonly records: readonly BoltRecord[] }
  | { readonly kind: 'branch'; readonly children: readonly BoltChild[] }

export interface BoltChild {
  /** No key below it is smaller. */
  readonly key: Uint8Array
  readonly page: number
}

/** What is wrong with a page, in a few words; the caller knows which page it is. */
export class PageDamage extends Error {
  override readonly name = 'PageDamage'
}

/**
 * Reads a leaf or branch out of all its bytes, overflow included.
 *
 * @throws PageDamage when it is something else, or its parts do not lie inside it, or its keys are out of order
 */
export function parseTreePage(page: Uint8Array): BoltTreePage {
  const header = readPageHeader(page)
  const elementsEnd = pageHeaderSizeBytes + header.count * elementSizeBytes
  if (elementsEnd > page.length) throw new PageDamage('its elements do not fit into it')
  switch (header.flags) {
    case pageFlags.leaf:
      return { kind: 'leaf', records: parseLeaf(page, header) }
    case pageFlags.branch:
      if (header.count === 0) throw new PageDamage('a branch leads nowhere')
      return { kind: 'branch', children: parseBranch(page, header) }
    default:
      throw new PageDamage(`invalid type: ${typeText(header.flags)}`)
  }
}

function parseLeaf(page: Uint8Array, { count }: BoltPageHeader): BoltRecord[] {
  const view = viewOf(page)
  const records: BoltRecord[] = []
  for (let position = 0; position < count; position++) {
    const at = pageHeaderSizeBytes + position * elementSizeBytes
    const keyStart = at + view.getUint32(at + 4, true)
    const keyEnd = keyStart + view.getUint32(at + 8, true)
    const valueEnd = keyEnd + view.getUint32(at + 12, true)
    if (valueEnd > page.length) throw new PageDamage('a record does not lie inside it')
    const record = {
      key: page.subarray(keyStart, keyEnd),
      value: page.subarray(keyEnd, valueEnd),
      isBucket: (view.getUint32(at, true) & bucketElementFlag) !== 0,
    }
    checkOrder(records.at(-1)?.key, record.key)
    records.push(record)
  }
  return records
}

function parseBranch(page: Uint8Array, { count }: BoltPageHeader): BoltChild[] {
  const view = viewOf(page)
  const children: BoltChild[] = []
  for (let position = 0; position < count; position++) {
    const at = pageHeaderSizeBytes + position * elementSizeBytes
    const keyStart = at + view.getUint32(at, true)
    const keyEnd = keyStart + view.getUint32(at + 4, true)
    if (keyEnd > page.length) throw new PageDamage('a key does not lie inside it')
    const key = page.subarray(keyStart, keyEnd)
    checkOrder(children.at(-1)?.key, key)
    children.push({ key, page: readUint64Le(view, at + 8) })
  }
  return children
}

function checkOrder(previous: Uint8Array | undefined, key: Uint8Array): void {
  if (previous !== undefined && compareBytes(previous, key) >= 0) {
    throw new PageDamage('its keys are out of order')
  }
}

function typeText(flags: number): string {
  switch (flags) {
    case pageFlags.meta:
      return 'meta'
    case pageFlags.freelist:
      return 'freelist'
    default:
      return `unknown<${flags.toString(16).padStart(2, '0')}>`
  }
}
