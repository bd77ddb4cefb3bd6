import { compareBytes, copyBytes, equalBytes } from '../base/bytes.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileHandle } from '../io/file-system.ts'
import {
  bucketHeaderSizeBytes,
  decodeMeta,
  metaSizeBytes,
  pageFlags,
  pageHeaderSizeBytes,
  pageSizesBytes,
  readPageHeader,
  readUint64Le,
  viewOf,
  type BoltMeta,
} from './bolt-format.ts'
import { PageDamage, parseTreePage, type BoltRecord, type BoltTreePage } from './bolt-page.ts'
import { PageCache } from './page-cache.ts'
import { PageSet } from './page-set.ts'

/** Where a bucket's tree begins: a page of the file, or a page inside the record that names the bucket. */
export type BucketRoot =
  | { readonly kind: 'page'; readonly page: number }
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }

export interface BoltBucket {
  readonly name: Uint8Array
  readonly root: BucketRoot
}

/** A page of a tree, and how many pages of the file it takes. */
export interface BoltFilePage {
  readonly content: BoltTreePage
  readonly pageCount: number
}

/** No record of a store is larger; more is damage, and not worth the memory. */
const pagesSizeBytesMax = 0x1000_0000
/** Pages on the way from a root to a leaf; a tree of this depth has more records than any disk. */
const depthMax = 32

/**
 * Reads an etcd database file.
 *
 * Nothing in it is believed: a page that lies outside the file, is met twice, or whose content does not lie inside it,
 * ends the reading with a `StorageFault` that names file and page. The file must not change meanwhile; its pages are read
 * as they are needed.
 */
export class BoltFile {
  readonly meta: BoltMeta
  private readonly cache: PageCache

  private constructor(cache: PageCache, meta: BoltMeta) {
    this.cache = cache
    this.meta = meta
  }

  /**
   * Reads the meta pages; the newer valid one counts. Bytes behind the last page, such as a checksum, are left alone.
   *
   * @param file  stays the caller's to close
   * @throws StorageFault when no meta page is valid, or the file is shorter than they say
   */
  static async open(file: FileHandle, sizeBytes: number): Promise<BoltFile> {
    const cache = new PageCache(file, sizeBytes)
    const meta = await findMeta(cache)
    if (meta === undefined) {
      throw new StorageFault(`${file.path}: invalid database`, { path: file.path, offsetBytes: 0 })
    }
    const bolt = new BoltFile(cache, meta)
    if (bolt.sizeBytes > sizeBytes) {
      throw new StorageFault(
        `${file.path}: the database file is cut short: it has ${sizeBytes} of ${bolt.sizeBytes} bytes`,
        { path: file.path, offsetBytes: sizeBytes },
      )
    }
    return bolt
  }

  get path(): string {
    return this.cache.path
  }

  /** Size of all pages in use or free, in bytes. */
  get sizeBytes(): number {
    return this.meta.pageCount * this.meta.pageSizeBytes
  }

  /** All buckets by name. @throws StorageFault */
  async buckets(): Promise<readonly BoltBucket[]> {
    const buckets: BoltBucket[] = []
    for await (const records of this.scan({ kind: 'page', page: this.meta.rootPage })) {
      for (const record of records) buckets.push(this.bucketOf(record))
    }
    return buckets
  }

  /** One bucket; undefined when there is none of this name. @throws StorageFault */
  async findBucket(name: Uint8Array): Promise<BoltBucket | undefined> {
    const record = await this.find({ kind: 'page', page: this.meta.rootPage }, name)
    return record === undefined ? undefined : this.bucketOf(record)
  }

  /** The value of a key; undefined when the bucket has none. @throws StorageFault */
  async get(bucket: BoltBucket, key: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.find(bucket.root, key))?.value
  }

  /**
   * All records from a root in key order, one leaf at a time. The records of a leaf share its memory.
   *
   * @throws StorageFault
   */
  async *scan(root: BucketRoot): AsyncGenerator<readonly BoltRecord[], void, undefined> {
    if (root.kind === 'inline') {
      yield recordsOf(this.parse(root.bytes, undefined))
      return
    }
    const met = new PageSet(this.meta.pageCount)
    const waiting: { readonly page: number; readonly depth: number }[] = [
      { page: root.page, depth: 1 },
    ]
    let lastKey: Uint8Array | undefined
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (!met.add(next.page)) throw this.fault(next.page, 'multiple references')
      const { content: page } = await this.page(next.page)
      if (page.kind === 'branch') {
        if (next.depth === depthMax) throw this.fault(next.page, 'the tree is too deep')
        for (let position = page.children.length - 1; position >= 0; position--) {
          const child = page.children[position]
          if (child !== undefined) waiting.push({ page: child.page, depth: next.depth + 1 })
        }
        continue
      }
      const [first] = page.records
      if (first === undefined) continue
      if (lastKey !== undefined && compareBytes(lastKey, first.key) >= 0) {
        throw this.fault(next.page, 'its keys are not behind those of the page before')
      }
      lastKey = copyBytes(page.records.at(-1)?.key ?? first.key)
      yield page.records
    }
  }

  /**
   * A leaf or branch of the file.
   *
   * @throws StorageFault when it is out of bounds or damaged
   */
  async page(id: number): Promise<BoltFilePage> {
    const bytes = await this.pageBytes(id)
    return { content: this.parse(bytes, id), pageCount: bytes.length / this.meta.pageSizeBytes }
  }

  /** All bytes of a page with those that it goes on into, whatever it is. @throws StorageFault */
  async pageBytes(id: number): Promise<Uint8Array> {
    const { pageCount, pageSizeBytes } = this.meta
    if (!(id >= 2 && id < pageCount)) throw this.fault(id, `out of bounds: ${pageCount}`)
    const head = await this.cache.read(id * pageSizeBytes, pageSizeBytes)
    const header = readPageHeader(head)
    if (header.id !== id) throw this.fault(id, `it says that it is page ${header.id}`)
    if (header.overflow === 0) return head
    const sizeBytes = (header.overflow + 1) * pageSizeBytes
    if (id + header.overflow >= pageCount || sizeBytes > pagesSizeBytesMax) {
      throw this.fault(id, `it goes on for ${header.overflow} pages, out of bounds: ${pageCount}`)
    }
    return this.cache.read(id * pageSizeBytes, sizeBytes)
  }

  /** The bucket that a record of the bucket of buckets names. @throws StorageFault */
  bucketOf(record: BoltRecord): BoltBucket {
    const { key, value } = record
    if (!record.isBucket || value.length < bucketHeaderSizeBytes) {
      throw new StorageFault(`${this.path}: a record stands where only buckets are expected`, {
        path: this.path,
      })
    }
    const page = readUint64Le(viewOf(value), 0)
    const name = copyBytes(key)
    if (page !== 0) return { name, root: { kind: 'page', page } }
    return {
      name,
      root: { kind: 'inline', bytes: copyBytes(value.subarray(bucketHeaderSizeBytes)) },
    }
  }

  /** A fault that names the file and the page. */
  fault(page: number, message: string): StorageFault {
    return new StorageFault(`${this.path}: page ${page}: ${message}`, {
      path: this.path,
      offsetBytes: page * this.meta.pageSizeBytes,
    })
  }

  private async find(root: BucketRoot, key: Uint8Array): Promise<BoltRecord | undefined> {
    let page =
      root.kind === 'inline'
        ? this.parse(root.bytes, undefined)
        : (await this.page(root.page)).content
    for (let depth = 1; page.kind === 'branch'; depth++) {
      if (depth === depthMax) throw this.fault(this.meta.rootPage, 'the tree is too deep')
      let child = page.children[0]
      for (const candidate of page.children) {
        if (compareBytes(candidate.key, key) > 0) break
        child = candidate
      }
      page = (await this.page(child?.page ?? 0)).content
    }
    return page.records.find((record) => equalBytes(record.key, key))
  }

  private parse(bytes: Uint8Array, id: number | undefined): BoltTreePage {
    try {
      if (bytes.length < pageHeaderSizeBytes) throw new PageDamage('an inline bucket is cut short')
      const page = parseTreePage(bytes)
      if (id === undefined && page.kind === 'branch') {
        throw new PageDamage('an inline bucket is a branch')
      }
      return page
    } catch (error) {
      if (!(error instanceof PageDamage)) throw error
      throw this.fault(id ?? this.meta.rootPage, error.message)
    }
  }
}

function recordsOf(page: BoltTreePage): readonly BoltRecord[] {
  return page.kind === 'leaf' ? page.records : []
}

/** The second meta page begins where the first page ends, which only a valid first meta tells; so all sizes are tried. */
async function findMeta(cache: PageCache): Promise<BoltMeta | undefined> {
  const first = await readMeta(cache, 0)
  const offsets = first === undefined ? pageSizesBytes : [first.pageSizeBytes]
  for (const offsetBytes of offsets) {
    const second = await readMeta(cache, offsetBytes)
    if (second?.pageSizeBytes !== offsetBytes) continue
    return isNewer(second, first) ? second : first
  }
  return first
}

function isNewer(meta: BoltMeta, other: BoltMeta | undefined): boolean {
  return other === undefined || meta.transaction > other.transaction
}

async function readMeta(cache: PageCache, offsetBytes: number): Promise<BoltMeta | undefined> {
  const sizeBytes = pageHeaderSizeBytes + metaSizeBytes
  if (offsetBytes + sizeBytes > cache.sizeBytes) return undefined
  const page = await cache.read(offsetBytes, sizeBytes)
  if (readPageHeader(page).flags !== pageFlags.meta) return undefined
  const meta = decodeMeta(page.subarray(pageHeaderSizeBytes))
  if (meta === undefined) return undefined
  return Number.isSafeInteger(meta.pageCount * meta.pageSizeBytes) ? meta : undefined
}
