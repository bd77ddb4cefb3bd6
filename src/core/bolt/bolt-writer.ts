import { assert, verify } from '../base/assert.ts'
import { compareBytes, copyBytes, emptyBytes } from '../base/bytes.ts'
import type { FileHandle } from '../io/file-system.ts'
import {
  boltPageSizeBytes,
  bucketHeaderSizeBytes,
  elementSizeBytes,
  encodeMetaPage,
  pageFlags,
  viewOf,
  writePageHeader,
  writeUint64Le,
} from './bolt-format.ts'
import { PageBuilder } from './page-builder.ts'

/** Behind the two meta pages. */
const freelistPage = 2
const firstDataPage = 3
/** The newer of the two meta pages is the first, so its transaction is even: the next one goes to the other page. */
const newerTransaction = 2
/**
 * A branch may have no fewer children: bbolt fails on a page below a branch of one when a record is deleted from it.
 */
const branchChildCountMin = 2

/**
 * Writes an etcd database file in one go: buckets one after the other, each with its records in key order.
 *
 * Pages are laid out as records come, leaves as full as they get; of the levels above only the page being filled is
 * kept, so memory does not depend on the number of records. The meta pages come last, at the front of the file: a file
 * whose writing was cut short is not a database.
 *
 * @example
 *     const writer = new BoltWriter(file)
 *     writer.beginBucket(name)
 *     writer.add(key, value)
 *     if (writer.bufferedSizeBytes > limit) await writer.drain()
 *     const { sizeBytes } = await writer.finish()
 */
export class BoltWriter {
  private readonly file: FileHandle
  private readonly buckets: { readonly name: Uint8Array; readonly root: number }[] = []
  private readonly pages: Uint8Array[] = []
  private tree: TreeWriter | undefined
  private bucketName = emptyBytes
  private nextPage = firstDataPage
  /** Where the first of the waiting pages goes. */
  private drainedPage = firstDataPage
  private waitingSizeBytes = 0

  /** @param file  empty, open for writing; stays the caller's to close and to sync */
  constructor(file: FileHandle) {
    this.file = file
  }

  /** How much is laid out and not given to the file yet. */
  get bufferedSizeBytes(): number {
    return this.waitingSizeBytes
  }

  /** Ends the bucket before, if any. A name comes once. */
  beginBucket(name: Uint8Array): void {
    this.endBucket()
    this.bucketName = copyBytes(name)
    this.tree = new TreeWriter((page) => this.place(page))
  }

  /** The next record of the bucket; keys are given in order. The bytes are copied. */
  add(key: Uint8Array, value: Uint8Array): void {
    assert(this.tree !== undefined, 'records belong to a bucket')
    this.tree.add(key, value, false)
  }

  /** Gives the pages laid out so far to the file. */
  async drain(): Promise<void> {
    if (this.pages.length === 0) return
    const pages = this.pages.splice(0)
    const offsetBytes = this.drainedPage * boltPageSizeBytes
    this.drainedPage = this.nextPage
    this.waitingSizeBytes = 0
    await this.file.write(offsetBytes, [joined(pages)])
  }

  /** Writes what is left; the file is a database once this resolves, and durable when the caller has synced it. */
  async finish(): Promise<{ readonly sizeBytes: number }> {
    this.endBucket()
    this.buckets.sort((left, right) => compareBytes(left.name, right.name))
    const root = new TreeWriter((page) => this.place(page))
    for (const bucket of this.buckets) root.add(bucket.name, bucketHeader(bucket.root), true)
    const rootPage = root.end()
    await this.drain()
    const freelist = new Uint8Array(boltPageSizeBytes)
    writePageHeader(freelist, {
      id: freelistPage,
      flags: pageFlags.freelist,
      count: 0,
      overflow: 0,
    })
    const meta = {
      pageSizeBytes: boltPageSizeBytes,
      rootPage,
      freelistPage,
      pageCount: this.nextPage,
    }
    await this.file.write(0, [
      encodeMetaPage(0, { ...meta, transaction: newerTransaction }),
      encodeMetaPage(1, { ...meta, transaction: newerTransaction - 1 }),
      freelist,
    ])
    return { sizeBytes: this.nextPage * boltPageSizeBytes }
  }

  private endBucket(): void {
    if (this.tree === undefined) return
    this.buckets.push({ name: this.bucketName, root: this.tree.end() })
    this.tree = undefined
  }

  private place(builder: PageBuilder): number {
    const id = this.nextPage
    const page = builder.take(id, boltPageSizeBytes)
    this.pages.push(page)
    this.waitingSizeBytes += page.length
    this.nextPage += page.length / boltPageSizeBytes
    return id
  }
}

/** One bucket's tree, built from the leaves upwards. */
class TreeWriter {
  private readonly place: (builder: PageBuilder) => number
  private readonly leaf = new PageBuilder('leaf')
  /** The branch being filled of each level above the leaves. */
  private readonly branches: PageBuilder[] = []
  private lastKey: Uint8Array | undefined

  constructor(place: (builder: PageBuilder) => number) {
    this.place = place
  }

  add(key: Uint8Array, value: Uint8Array, isBucket: boolean): void {
    verify(() => {
      const previous = this.lastKey
      this.lastKey = copyBytes(key)
      return previous === undefined || compareBytes(previous, key) < 0
    }, 'records are given in key order')
    const { leaf } = this
    const grown = leaf.sizeBytes + elementSizeBytes + key.length + value.length
    if (leaf.count > 0 && grown > boltPageSizeBytes) this.close(leaf, 0)
    leaf.addRecord(key, value, isBucket)
  }

  /** @returns the page of the root; an empty tree is an empty leaf */
  end(): number {
    if (this.branches.length === 0) return this.place(this.leaf)
    this.close(this.leaf, 0)
    for (let level = 0; ; level++) {
      const branch = this.branches[level]
      assert(branch !== undefined, 'a tree ends with its highest branch')
      if (level === this.branches.length - 1) return this.place(branch)
      this.close(branch, level + 1)
    }
  }

  /** Writes a page and enters it in the branch above. */
  private close(page: PageBuilder, level: number): void {
    const key = page.firstKey()
    this.enter(level, key, this.place(page))
  }

  private enter(level: number, key: Uint8Array, child: number): void {
    let branch = this.branches[level]
    if (branch === undefined) {
      branch = new PageBuilder('branch')
      this.branches.push(branch)
    }
    const grown = branch.sizeBytes + elementSizeBytes + key.length
    if (grown > boltPageSizeBytes && branch.count > branchChildCountMin) {
      // The last child goes along, so that the new branch has two however the tree ends.
      const moved = branch.takeLastChild()
      this.close(branch, level + 1)
      branch.addChild(moved.key, moved.child)
    }
    branch.addChild(key, child)
  }
}

function bucketHeader(root: number): Uint8Array {
  const header = new Uint8Array(bucketHeaderSizeBytes)
  writeUint64Le(viewOf(header), 0, root)
  return header
}

/** One write instead of one for each page. */
function joined(pages: readonly Uint8Array[]): Uint8Array {
  const [first] = pages
  return pages.length === 1 && first !== undefined ? first : Buffer.concat(pages)
}
