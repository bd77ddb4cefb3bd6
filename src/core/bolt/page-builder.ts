import { assert } from '../base/assert.ts'
import {
  bucketElementFlag,
  elementSizeBytes,
  pageFlags,
  pageHeaderSizeBytes,
  viewOf,
  writePageHeader,
  writeUint64Le,
} from './bolt-format.ts'

interface PageElement {
  /** Where its bytes begin among those collected. */
  readonly offset: number
  readonly keySizeBytes: number
  readonly valueSizeBytes: number
  readonly isBucket: boolean
  /** Of a branch: the page that the key leads to; 0 in a leaf. */
  readonly child: number
}

/** Enough for a page of small records; grows for larger ones. */
const initialSizeBytes = 8_192

/** Collects the elements of one leaf or branch, copying their bytes, and lays them out as a page. */
export class PageBuilder {
  readonly kind: 'leaf' | 'branch'
  private readonly elements: PageElement[] = []
  private bytes = new Uint8Array(initialSizeBytes)
  private filledSizeBytes = 0

  constructor(kind: 'leaf' | 'branch') {
    this.kind = kind
  }

  get count(): number {
    return this.elements.length
  }

  /** Size of the page's content, header included. */
  get sizeBytes(): number {
    return pageHeaderSizeBytes + this.elements.length * elementSizeBytes + this.filledSizeBytes
  }

  /** A copy of the first key, by which a branch leads to this page. */
  firstKey(): Uint8Array {
    const [first] = this.elements
    assert(first !== undefined, 'a page that something leads to has an element')
    return this.bytes.slice(first.offset, first.offset + first.keySizeBytes)
  }

  addRecord(key: Uint8Array, value: Uint8Array, isBucket: boolean): void {
    this.elements.push({
      offset: this.filledSizeBytes,
      keySizeBytes: key.length,
      valueSizeBytes: value.length,
      isBucket,
      child: 0,
    })
    this.append(key)
    this.append(value)
  }

  addChild(key: Uint8Array, child: number): void {
    this.elements.push({
      offset: this.filledSizeBytes,
      keySizeBytes: key.length,
      valueSizeBytes: 0,
      isBucket: false,
      child,
    })
    this.append(key)
  }

  /** Takes the last child out, for the page that follows. */
  takeLastChild(): { readonly key: Uint8Array; readonly child: number } {
    const last = this.elements.pop()
    assert(last !== undefined && this.kind === 'branch', 'a child is taken out of a filled branch')
    this.filledSizeBytes = last.offset
    return {
      key: this.bytes.slice(last.offset, last.offset + last.keySizeBytes),
      child: last.child,
    }
  }

  /** The page with the given number, as long as whole pages of this size make it; empties the builder. */
  take(id: number, pageSizeBytes: number): Uint8Array {
    const pageCount = Math.ceil(this.sizeBytes / pageSizeBytes)
    const page = new Uint8Array(pageCount * pageSizeBytes)
    writePageHeader(page, {
      id,
      flags: this.kind === 'leaf' ? pageFlags.leaf : pageFlags.branch,
      count: this.elements.length,
      overflow: pageCount - 1,
    })
    const view = viewOf(page)
    const dataOffset = pageHeaderSizeBytes + this.elements.length * elementSizeBytes
    for (const [position, element] of this.elements.entries()) {
      const at = pageHeaderSizeBytes + position * elementSizeBytes
      const toKey = dataOffset + element.offset - at
      if (this.kind === 'leaf') {
        view.setUint32(at, element.isBucket ? bucketElementFlag : 0, true)
        view.setUint32(at + 4, toKey, true)
        view.setUint32(at + 8, element.keySizeBytes, true)
        view.setUint32(at + 12, element.valueSizeBytes, true)
      } else {
        view.setUint32(at, toKey, true)
        view.setUint32(at + 4, element.keySizeBytes, true)
        writeUint64Le(view, at + 8, element.child)
      }
    }
    page.set(this.bytes.subarray(0, this.filledSizeBytes), dataOffset)
    this.elements.length = 0
    this.filledSizeBytes = 0
    // A record of a megabyte must not leave a buffer of that size behind in every level.
    if (this.bytes.length > initialSizeBytes * 8) this.bytes = new Uint8Array(initialSizeBytes)
    return page
  }

  private append(piece: Uint8Array): void {
    const neededSizeBytes = this.filledSizeBytes + piece.length
    if (neededSizeBytes > this.bytes.length) {
      const grown = new Uint8Array(Math.max(neededSizeBytes, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.filledSizeBytes))
      this.bytes = grown
    }
    this.bytes.set(piece, this.filledSizeBytes)
    this.filledSizeBytes = neededSizeBytes
  }
}
