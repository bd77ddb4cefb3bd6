/**
 * LMDB's memory map, looked at where it lies.
 *
 * The problem: a range of ten thousand records is twenty thousand calls into native code, each of which costs more than all
 * else that is done with a record. The plain idea: the file is mapped into this process anyway and its format is simple, so
 * its pages are read here. What keeps them as they are is a read transaction of LMDB's own: as long as one is open, no page
 * of its snapshot, and of none that is newer, is written again.
 *
 *     page       number (8 B)  transaction (8 B)  pad (2 B)  flags (2 B)  lower (2 B)  upper (2 B)  offsets of nodes (2 B each)
 *     node       size or page, low and high (2 B each)  flags (2 B)  key size (2 B)  key  value
 *     meta page  page head  magic (4 B)  version (4 B)  address (8 B)  map size (8 B)  free tree (48 B)  main tree (48 B)
 *                last page (8 B)  transaction (8 B)
 *     tree       pad (4 B)  flags (2 B)  depth (2 B)  four counts (8 B each)  root page (8 B)
 *
 * in the machine's byte order; offsets of nodes count from the end of the page head. The main tree has a record for each
 * bucket, by its name with a zero byte behind it, which holds the bucket's tree.
 *
 * Where memory of others cannot be looked at (Electron does not allow it) or looks different, there is no map, and records
 * are asked for one by one.
 *
 * @see lmdb-js 3.5: dependencies/lmdb, mdb.c; src/misc.cpp `createBufferForAddress`, src/dbi.cpp `getSharedByBinary`
 */
import { endianness } from 'node:os'
import { platform, versions } from 'node:process'
import { StorageFault } from '../errors/storage-fault.ts'
import {
  nativeLmdb,
  type NativeAddress,
  type NativeDatabase,
  type NativeEnvironment,
} from './lmdb-native.ts'

/** Part of the map, and how it is looked at. Nothing is ever written to it. */
export interface MapWindow {
  readonly bytes: Uint8Array
  readonly halves: Uint16Array
  readonly words: Uint32Array
}

/** The tree of each bucket in one snapshot: its root page, or {@link noPage} while it is empty. */
export type TreeRoots = ReadonlyMap<NativeDatabase, number>

/** The buckets of an environment by their names. */
export type NamedDatabases = ReadonlyMap<string, NativeDatabase>

/** Stands for the root of an empty tree. */
export const noPage = -1

export const pageHeadSizeBytes = 24
export const pageFlagsOffset = 18
export const nodeHeadSizeBytes = 8
export const branchFlag = 0x01
export const leafFlag = 0x02
/** Of a node: the value lies in pages of its own, which the node names. */
export const bigValueFlag = 0x01

const magic = 0xbeef_c0de
const dataVersion = 2
const magicOffset = 24
const versionOffset = 28
const pageSizeOffset = 48
const mainRootOffset = 136
const lastPageOffset = 144
const transactionOffset = 152
const rootInTreeOffset = 40

/** Each piece of the map that is looked at; a multiple of any page size. */
const windowSizeBytes = 268_435_456
/** Reading the newest state is tried again when it changes meanwhile. */
const metaReadCountMax = 8

/** What the tree walk needs to know of where a page lies. */
export interface PagePlace {
  window: MapWindow
  /** Where the page begins in the window. */
  start: number
}

/** Opened by {@link openMap}, closed before its environment is. */
export class LmdbMap {
  readonly pageSizeBytes: number
  private readonly environment: NativeEnvironment
  private readonly locate: () => NativeAddress | undefined
  private readonly databases: NamedDatabases
  private readonly windows: MapWindow[] = []
  private readonly place: PagePlace
  /** The map that new windows are made of; LMDB leaves older ones where they are. */
  private base: NativeAddress
  private mapSizeBytes: number
  private isClosed = false

  constructor(
    environment: NativeEnvironment,
    parts: {
      readonly base: NativeAddress
      readonly pageSizeBytes: number
      readonly locate: () => NativeAddress | undefined
      readonly databases: NamedDatabases
    },
  ) {
    this.databases = parts.databases
    this.environment = environment
    this.base = parts.base
    this.pageSizeBytes = parts.pageSizeBytes
    this.locate = parts.locate
    this.mapSizeBytes = environment.info().mapSize
    this.place = { window: emptyWindow, start: 0 }
  }

  /**
   * The trees of a snapshot that is not older than the one that a read transaction holds on to, and as good as that one for
   * as long as it does. Undefined where the map does not show all of it.
   */
  readRoots(): TreeRoots | undefined {
    if (this.isClosed || !this.reaches(0)) return undefined
    for (let count = 0; count < metaReadCountMax; count++) {
      const start = this.newestMetaStart()
      const { words } = this.windowOf(0)
      const transaction = numberAt(words, start + transactionOffset)
      const mainRoot = numberAt(words, start + mainRootOffset)
      const lastPage = numberAt(words, start + lastPageOffset)
      if (start !== this.newestMetaStart()) continue
      if (transaction !== numberAt(words, start + transactionOffset)) continue
      return this.reaches(lastPage) ? this.rootsIn(mainRoot) : undefined
    }
    return undefined
  }

  /** Where a page lies. The same object is used again for the next one. @throws StorageFault  there is no such page */
  page(number: number): PagePlace {
    const { place } = this
    const offset = number * this.pageSizeBytes
    const window = this.windows[Math.floor(offset / windowSizeBytes)]
    if (window === undefined) throw damagedTree()
    place.window = window
    place.start = offset % windowSizeBytes
    return place
  }

  /** Ends all looking: what was seen of the map is empty from now on. */
  close(): void {
    this.isClosed = true
    for (const { bytes } of this.windows) nativeLmdb.detachBuffer(bytes.buffer)
    this.windows.length = 0
    this.place.window = emptyWindow
  }

  /** Whether everything up to a page can be looked at; makes the windows for it. */
  private reaches(lastPage: number): boolean {
    const last = Math.floor((lastPage * this.pageSizeBytes) / windowSizeBytes)
    while (this.windows.length <= last) {
      const start = this.windows.length * windowSizeBytes
      if (start + windowSizeBytes > this.mapSizeBytes && !this.renewBase()) return false
      if (start + windowSizeBytes > this.mapSizeBytes) return false
      this.windows.push(windowAt(this.base + start))
    }
    return true
  }

  /** LMDB maps the file anew when it outgrows its map. @returns whether it has */
  private renewBase(): boolean {
    const { mapSize } = this.environment.info()
    if (mapSize <= this.mapSizeBytes) return false
    const base = this.locate()
    // It may have grown between the two; then it is tried again another time.
    if (base === undefined || this.environment.info().mapSize !== mapSize) return false
    this.base = base
    this.mapSizeBytes = mapSize
    return true
  }

  private windowOf(page: number): MapWindow {
    return this.page(page).window
  }

  private newestMetaStart(): number {
    const { words } = this.windowOf(0)
    const second = this.pageSizeBytes
    const [first, other] = [
      numberAt(words, transactionOffset),
      numberAt(words, second + transactionOffset),
    ]
    return first >= other ? 0 : second
  }

  /** The main tree is walked whole: it has a record for each bucket. */
  private rootsIn(mainRoot: number): TreeRoots {
    const roots = new Map<NativeDatabase, number>()
    if (mainRoot !== noPage) this.collectRoots(mainRoot, roots)
    return roots
  }

  private collectRoots(number: number, roots: Map<NativeDatabase, number>): void {
    const { window, start } = this.page(number)
    const { bytes, halves } = window
    const isBranch = isBranchPage(window, start)
    const nodeCount = nodeCountOf(window, start)
    for (let position = 0; position < nodeCount; position++) {
      const node = nodeAt(window, start, position)
      if (isBranch) {
        this.collectRoots(childOf(window, node), roots)
        continue
      }
      const keyStart = node + nodeHeadSizeBytes
      const keyEnd = keyStart + (halves[(node >> 1) + 3] ?? 0)
      const name = String.fromCharCode(...bytes.subarray(keyStart, keyEnd - 1))
      const database = this.databases.get(name)
      if (database === undefined) continue
      const root = new DataView(bytes.buffer, bytes.byteOffset + keyEnd + rootInTreeOffset, 8)
      const isEmpty = root.getUint32(4, true) === 0xffff_ffff
      roots.set(
        database,
        isEmpty ? noPage : root.getUint32(0, true) + root.getUint32(4, true) * 0x1_0000_0000,
      )
    }
  }
}

/** Whether a page leads to others and is no leaf. @throws StorageFault  it is neither */
export function isBranchPage({ halves }: MapWindow, start: number): boolean {
  const flags = halves[(start + pageFlagsOffset) >> 1] ?? 0
  if ((flags & (branchFlag | leafFlag)) === 0) throw damagedTree()
  return (flags & branchFlag) !== 0
}

export function nodeCountOf({ halves }: MapWindow, start: number): number {
  return (halves[(start + 20) >> 1] ?? 0) >> 1
}

/** Where a node of a page begins in the window. */
export function nodeAt({ halves }: MapWindow, start: number, position: number): number {
  const body = start + pageHeadSizeBytes
  return body + (halves[(body >> 1) + position] ?? 0)
}

/** The page that a node of a branch leads to. */
export function childOf({ halves }: MapWindow, node: number): number {
  const at = node >> 1
  const low = (halves[at] ?? 0) + (halves[at + 1] ?? 0) * 0x1_0000
  return low + (halves[at + 2] ?? 0) * 0x1_0000_0000
}

/** The tree is not what LMDB writes. */
export function damagedTree(): StorageFault {
  return new StorageFault('the database cannot be walked: a page of it is damaged', {
    path: 'lmdb',
  })
}

/**
 * Looks for the map of an environment.
 *
 * @param root       the database that holds the names of the others
 * @param keyBuffer  where the environment takes keys from
 * @returns undefined where it cannot be looked at
 */
export function openMap(
  environment: NativeEnvironment,
  root: NativeDatabase,
  means: {
    readonly keyBuffer: Uint8Array
    readonly databases: NamedDatabases
    /** Lets something read through the library's own transaction, and ends that. */
    readonly readOnce: <Result>(read: () => Result) => Result
  },
): LmdbMap | undefined {
  if ('electron' in versions || endianness() !== 'LE') return undefined
  if (platform !== 'linux' && platform !== 'darwin') return undefined
  const { keyBuffer, databases, readOnce } = means
  const [bucket = ''] = databases.keys()
  const locateNow = (): NativeAddress | undefined => {
    const name = Buffer.from(`${bucket}\0`, 'latin1')
    keyBuffer.set(name)
    const shared = nativeLmdb.getSharedByBinary(root.address, name.length)
    if (shared === undefined) return undefined
    const address = nativeLmdb.getBufferAddress(shared)
    nativeLmdb.detachBuffer(shared.buffer)
    const { pageSize } = environment.stat()
    const page = Math.floor(address / pageSize) * pageSize
    return page - pageNumberAt(page) * pageSize
  }
  const locate = (): NativeAddress | undefined => readOnce(locateNow)
  const base = locate()
  if (base === undefined) return undefined
  const { pageSize } = environment.stat()
  const head = nativeLmdb.createBufferForAddress(base, pageSize)
  const looksRight =
    head.readUInt32LE(magicOffset) === magic &&
    head.readUInt32LE(versionOffset) === dataVersion &&
    head.readUInt32LE(pageSizeOffset) === pageSize
  nativeLmdb.detachBuffer(head.buffer)
  if (!looksRight) return undefined
  return new LmdbMap(environment, { base, pageSizeBytes: pageSize, locate, databases })
}

function pageNumberAt(address: NativeAddress): number {
  const head = nativeLmdb.createBufferForAddress(address, 8)
  const number = head.readUInt32LE(0) + head.readUInt32LE(4) * 0x1_0000_0000
  nativeLmdb.detachBuffer(head.buffer)
  return number
}

function windowAt(address: NativeAddress): MapWindow {
  const { buffer, byteOffset } = nativeLmdb.createBufferForAddress(address, windowSizeBytes)
  return {
    bytes: new Uint8Array(buffer, byteOffset, windowSizeBytes),
    halves: new Uint16Array(buffer, byteOffset, windowSizeBytes / 2),
    words: new Uint32Array(buffer, byteOffset, windowSizeBytes / 4),
  }
}

/** A number of 8 bytes at a multiple of 4; all ones stand for no page. */
function numberAt(words: Uint32Array, offset: number): number {
  const [low, high] = [words[offset >> 2] ?? 0, words[(offset >> 2) + 1] ?? 0]
  return high === 0xffff_ffff ? noPage : low + high * 0x1_0000_0000
}

const emptyWindow: MapWindow = {
  bytes: new Uint8Array(),
  halves: new Uint16Array(),
  words: new Uint32Array(),
}
