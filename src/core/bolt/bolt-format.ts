/**
 * The pages of an etcd database file, byte for byte.
 *
 * The problem: etcd keeps its whole state in one file of the bbolt library, and its tools take nothing else. The plain
 * idea: such a file is a B+ tree of pages written with a simple layout, so a reader that follows it and a writer that
 * makes it in one go from sorted records are small; what is left out is changing a file in place. Numbers are
 * little-endian; `id` is a page's place in the file in units of the page size.
 *
 *     page     = id (8 B)  flags (2 B: 1 branch, 2 leaf, 4 meta, 16 free list)  count (2 B)  overflow (4 B)  content
 *                `overflow`: how many further pages the content goes on into
 *     leaf     = count × { flags (4 B: 1 the value is a bucket)  pos (4 B)  key size (4 B)  value size (4 B) }  bytes
 *     branch   = count × { pos (4 B)  key size (4 B)  child page (8 B) }  bytes
 *                `pos`: from the start of the element itself to its key; the value follows the key
 *     bucket   = root page (8 B)  sequence (8 B)  [a leaf page, where the root page is 0: a small bucket kept inline]
 *     meta     = magic (4 B)  version 2 (4 B)  page size (4 B)  flags (4 B)  bucket of all buckets (16 B)
 *                free list page (8 B; all ones: none)  number of pages in use (8 B)  transaction (8 B)
 *                checksum (8 B: FNV-1a of the 56 bytes before it)
 *
 * Pages 0 and 1 are both meta pages: the valid one with the newer transaction counts. Example: a file with one bucket of
 * three small records has five pages, meta, meta, free list, the leaf of the bucket and the leaf of the bucket of buckets.
 *
 * @see the file layout of bbolt 1.3, as etcd 3.4 to 3.7 use it
 */

/** Size of the pages that are written; files made on other systems may have larger ones. */
export const boltPageSizeBytes = 4_096

export const pageHeaderSizeBytes = 16
export const elementSizeBytes = 16
export const bucketHeaderSizeBytes = 16
export const metaSizeBytes = 64

/** What a page is. */
export const pageFlags = { branch: 1, leaf: 2, meta: 4, freelist: 16 } as const
/** Set in a leaf element whose value is a bucket. */
export const bucketElementFlag = 1

const magic = 0xed0c_daed
const formatVersion = 2
const checksummedSizeBytes = 56

/** What a meta page says. */
export interface BoltMeta {
  readonly pageSizeBytes: number
  /** Root of the bucket of buckets. */
  readonly rootPage: number
  /** Undefined: the free pages are those that nothing refers to. */
  readonly freelistPage: number | undefined
  /** Pages in use, free ones included: every page number is below it. */
  readonly pageCount: number
  readonly transaction: number
}

/** The header of a page. */
export interface BoltPageHeader {
  readonly id: number
  readonly flags: number
  readonly count: number
  readonly overflow: number
}

/** Writes the header at the start of the page. */
export function writePageHeader(page: Uint8Array, header: BoltPageHeader): void {
  const view = viewOf(page)
  writeUint64Le(view, 0, header.id)
  view.setUint16(8, header.flags, true)
  view.setUint16(10, header.count, true)
  view.setUint32(12, header.overflow, true)
}

/** The header at the start of a page of at least {@link pageHeaderSizeBytes}. */
export function readPageHeader(page: Uint8Array): BoltPageHeader {
  const view = viewOf(page)
  return {
    id: readUint64Le(view, 0),
    flags: view.getUint16(8, true),
    count: view.getUint16(10, true),
    overflow: view.getUint32(12, true),
  }
}

/** A whole meta page, ready to be written as page `id`. */
export function encodeMetaPage(id: 0 | 1, meta: BoltMeta): Uint8Array {
  const page = new Uint8Array(meta.pageSizeBytes)
  writePageHeader(page, { id, flags: pageFlags.meta, count: 0, overflow: 0 })
  const view = viewOf(page.subarray(pageHeaderSizeBytes))
  view.setUint32(0, magic, true)
  view.setUint32(4, formatVersion, true)
  view.setUint32(8, meta.pageSizeBytes, true)
  writeUint64Le(view, 16, meta.rootPage)
  if (meta.freelistPage === undefined) view.setBigUint64(32, noPage, true)
  else writeUint64Le(view, 32, meta.freelistPage)
  writeUint64Le(view, 40, meta.pageCount)
  writeUint64Le(view, 48, meta.transaction)
  const summed = page.subarray(pageHeaderSizeBytes, pageHeaderSizeBytes + checksummedSizeBytes)
  view.setBigUint64(checksummedSizeBytes, fnv1a64(summed), true)
  return page
}

/** What the bytes behind the header of a meta page say; undefined when they are not a valid meta. */
export function decodeMeta(bytes: Uint8Array): BoltMeta | undefined {
  if (bytes.length < metaSizeBytes) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== magic || view.getUint32(4, true) !== formatVersion) {
    return undefined
  }
  const checksum = view.getBigUint64(checksummedSizeBytes, true)
  if (checksum !== fnv1a64(bytes.subarray(0, checksummedSizeBytes))) return undefined
  const pageSizeBytes = view.getUint32(8, true)
  if (!isPageSize(pageSizeBytes)) return undefined
  return {
    pageSizeBytes,
    rootPage: readUint64Le(view, 16),
    freelistPage: view.getBigUint64(32, true) === noPage ? undefined : readUint64Le(view, 32),
    pageCount: readUint64Le(view, 40),
    transaction: readUint64Le(view, 48),
  }
}

/** Page sizes that systems have: powers of two from 1 KiB to 64 KiB. */
export const pageSizesBytes = [1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536] as const

function isPageSize(sizeBytes: number): boolean {
  return pageSizesBytes.some((known) => known === sizeBytes)
}

const noPage = 0xffff_ffff_ffff_ffffn

/** 8 bytes little-endian; more than a safe integer becomes infinite, which no check of bounds lets pass. */
export function readUint64Le(view: DataView, offset: number): number {
  const value = view.getBigUint64(offset, true)
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value)
}

/** Writes 8 bytes little-endian. */
export function writeUint64Le(view: DataView, offset: number, value: number): void {
  view.setBigUint64(offset, BigInt(value), true)
}

/** A view over exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** FNV-1a with 64 bits, by its published constants. */
function fnv1a64(bytes: Uint8Array): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n
  for (const byte of bytes) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n)
  }
  return hash
}
