/**
 * Folders of keys. A folder is a common prefix, not a stored thing, so one level is found without reading its inside: take
 * the first keys behind a place, the folder that the first of them lies in, and go on behind that folder's prefix.
 *
 * A question never goes to the end of the parent: servers count all keys that a range holds, and that would be nearly all of
 * them for every folder. It goes to where the keys cease that begin like the place, and further only when nothing is there.
 *
 * Example: behind `/a/f0001/` the place is `/a/f00010`. `[/a/f00010, /a/f00011)` is empty, `[/a/f00011, /a/f001)` begins with
 * a key of `/a/f0002/`, which is the next folder; its other keys are not read.
 */

import { shallowRef, triggerRef } from 'vue'
import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { KeyRow } from '../../preload/contract/key-columns.ts'
import { kvApi } from '../api/kv-api.ts'
import { mayAnswerLater, passOverCall } from './failure-text.ts'
import { keyText, textBytes } from '../format/bytes-text.ts'
import { boundBehind, folderEnd, foldersWithKeys, isSame, parentOf } from './folder-places.ts'
import { compareKeys, findPrefixEnd, rangeBetween, rangeUnder, successor } from './key-order.ts'

/** Children read at once; more follow when the end of them comes into sight. */
const batchChildren = 200
const pageRowsFirst = 50
const pageRowsMax = 500
/** Children that were read of a level are shown while the rest is on its way. */
const showEvery = 25
const countsAtOnceMax = 4
/** A tree with more rows than this is not read anew by itself. */
const refreshRowsMax = 2_000

/** One folder or key of the tree. */
export interface TreeNode {
  readonly kind: 'folder' | 'key'
  /** Whole key, or whole prefix with its separator. */
  readonly path: Uint8Array
  /** The part behind its parent. */
  readonly name: string
  readonly isFolder: boolean
  /** A key of this very name exists beside the folder. */
  readonly isAlsoKey: boolean
  /** Keys inside, 1 for a key; undefined until it was counted. */
  readonly count: number | undefined
  readonly depth: number
  /** The key's figures; absent for a folder. */
  readonly row?: KeyRow
}

/** A place behind the children that were read: more exist. */
export interface MoreNode {
  readonly kind: 'more'
  readonly path: Uint8Array
  readonly depth: number
  readonly isFailed: boolean
}

export type TreeRow = TreeNode | MoreNode

/** A folder's children, as far as they were read. */
export interface TreeLevel {
  readonly status: 'loading' | 'ready' | 'failed'
  readonly nodes: readonly TreeNode[]
  /** Where unread children begin; undefined: all were read. */
  readonly rest: Uint8Array | undefined
  readonly revision: number
}

interface LevelReading {
  /** Children to read. */
  readonly wanted: number
  /** What is waited for first. */
  readonly after?: Promise<void> | undefined
}

interface Reading {
  readonly prefix: Uint8Array
  readonly depth: number
  readonly nodes: TreeNode[]
  from: Uint8Array | undefined
  revision: number
}

interface NumberedReading extends Reading {
  /** Whether no reading of the same level was begun since. */
  readonly isNewest: () => boolean
}

/** The tree of one connection. Levels are read when their folder opens. */
export class KeyTree {
  readonly connectionId: string
  readonly separator: string
  /** Children by the text of their parent's path; triggered when one changes. */
  readonly levels = shallowRef(new Map<string, TreeLevel>())
  readonly expanded = shallowRef(new Set<string>())
  readonly error = shallowRef<unknown>()
  /** Keys of the connection; undefined until counted. */
  readonly total = shallowRef<number>()
  private readonly separatorBytes: Uint8Array
  private readonly countQueue = new Map<string, TreeNode>()
  private readonly uncountable = new Set<string>()
  /** Folders whose count was asked for and has not come. */
  private readonly counting = new Set<string>()
  private revision: number
  private isRefreshing = false
  /** Of each level that is being read, the reading that was begun last. */
  private readonly newestReadings = new Map<string, { done: Promise<void> }>()
  /** The first reading of the root. */
  private rootRead: Promise<void> | undefined

  /** @param revision  all levels and counts are as of it; 0: the newest of each read */
  constructor(connectionId: string, separator: string, revision = 0) {
    this.connectionId = connectionId
    this.revision = revision
    this.separator = separator
    this.separatorBytes = textBytes(separator)
  }

  /** @param after  what is read first: each of these reads makes some servers count every key */
  async loadRoot(after?: Promise<void>): Promise<void> {
    const level = this.loadLevel(new Uint8Array(0), 0, { wanted: batchChildren, after })
    this.rootRead ??= level
    await level
  }

  /** Reads the root, and opens the folders of these paths (as text) as far as they are among the children read. */
  async loadOpenPaths(paths: readonly string[], after: Promise<void>): Promise<void> {
    await this.loadRoot(after)
    // Parents are shorter than their children.
    for (const path of [...paths].sort((left, right) => left.length - right.length)) {
      const nodes = [...this.levels.value.values()].flatMap((level) => level.nodes)
      const node = nodes.find((one) => keyText(one.path) === path)
      if (node === undefined || this.expanded.value.has(path)) continue
      this.expanded.value.add(path)
      triggerRef(this.expanded)
      await this.loadLevel(node.path, node.depth + 1, { wanted: batchChildren })
    }
  }

  /**
   * Opens a folder and those around it, as far as they are there and not behind the children read, once the root was read
   * for the first time.
   */
  async reveal(prefix: Uint8Array): Promise<void> {
    await this.rootRead
    const { length } = this.separatorBytes
    if (length === 0) return
    let end = folderEnd(prefix, 0, this.separatorBytes)
    let parent = prefix.subarray(0, 0)
    for (let depth = 0; end !== undefined; depth++) {
      const node = await this.childAt(parent, prefix.slice(0, end), depth)
      if (node?.isFolder !== true) return
      const path = keyText(node.path)
      if (!this.expanded.value.has(path)) {
        this.expanded.value.add(path)
        triggerRef(this.expanded)
      }
      if (!this.levels.value.has(path))
        await this.loadLevel(node.path, depth + 1, { wanted: batchChildren })
      parent = node.path
      end = folderEnd(prefix, end, this.separatorBytes)
    }
  }

  /** A child of a level; when it is not among those that were read, it may have come since, and the level is read anew. */
  private async childAt(
    parent: Uint8Array,
    path: Uint8Array,
    depth: number,
  ): Promise<TreeNode | undefined> {
    const level = this.levels.value.get(keyText(parent))
    const find = (nodes: readonly TreeNode[] = []): TreeNode | undefined =>
      nodes.find((one) => isSame(one.path, path))
    const found = find(level?.nodes)
    const isBehind = level?.rest !== undefined && compareKeys(path, level.rest) >= 0
    if (found !== undefined || level === undefined || isBehind) return found
    await this.loadLevel(parent, depth, {
      wanted: Math.max(batchChildren, level.nodes.length),
    })
    return find(this.levels.value.get(keyText(parent))?.nodes)
  }

  /** Reads the root and the folders that are open in another tree of the same connection. */
  async loadOpen(other: KeyTree | undefined, after: Promise<void>): Promise<void> {
    await this.loadRoot(after)
    if (other === undefined) return
    for (const [path, { nodes }] of other.levels.value) {
      const [first] = nodes
      if (path === '' || first === undefined || !other.expanded.value.has(path)) continue
      this.expanded.value.add(path)
      triggerRef(this.expanded)
      await this.loadLevel(parentOf(first, this.separatorBytes), first.depth, {
        wanted: batchChildren,
      })
    }
  }

  /** Reads the open levels as of another revision; of many asked for in a row the last one is read. */
  async setRevision(revision: number, after: Promise<void>): Promise<void> {
    if (revision === this.revision) return
    this.revision = revision
    if (this.isRefreshing) return
    this.isRefreshing = true
    let read: number
    do {
      await after
      read = this.revision
      await this.refresh()
    } while (read !== this.revision)
    this.isRefreshing = false
  }

  /** Opens or closes a folder. */
  toggle(node: TreeNode): void {
    const path = keyText(node.path)
    const expanded = this.expanded.value
    if (!expanded.delete(path)) {
      expanded.add(path)
      if (!this.levels.value.has(path))
        void this.loadLevel(node.path, node.depth + 1, { wanted: batchChildren })
    }
    triggerRef(this.expanded)
  }

  /** Reads the next children of a level. */
  async loadMore(more: MoreNode): Promise<void> {
    const level = this.levels.value.get(keyText(more.path))
    if (level === undefined || level.status === 'loading') return
    if (level.rest === undefined) {
      if (level.status === 'failed')
        await this.loadLevel(more.path, more.depth, {
          wanted: Math.max(batchChildren, level.nodes.length),
        })
      return
    }
    await this.read(
      {
        prefix: more.path,
        depth: more.depth,
        nodes: [...level.nodes],
        from: level.rest,
        revision: level.revision,
      },
      { wanted: level.nodes.length + batchChildren },
    )
  }

  /** Reads every open level anew, as far as it was read before. */
  async refresh(): Promise<void> {
    this.uncountable.clear()
    await this.loadRoot()
    await this.refreshUnder('')
  }

  private async refreshUnder(path: string): Promise<void> {
    for (const node of this.levels.value.get(path)?.nodes ?? []) {
      const text = keyText(node.path)
      if (!node.isFolder || !this.expanded.value.has(text)) continue
      const { length = 0 } = this.levels.value.get(text)?.nodes ?? {}
      await this.loadLevel(node.path, node.depth + 1, {
        wanted: Math.max(batchChildren, length),
      })
      await this.refreshUnder(text)
    }
  }

  /** Reads the open levels anew unless that is much; then only counts are taken again. */
  async refreshQuietly(): Promise<void> {
    if (this.rows().length <= refreshRowsMax) await this.refresh()
    else await this.countAll()
  }

  /** Visible rows from top to bottom. */
  rows(): readonly TreeRow[] {
    const rows: TreeRow[] = []
    const visit = (path: string, bytes: Uint8Array, depth: number): void => {
      const level = this.levels.value.get(path)
      for (const node of level?.nodes ?? []) {
        rows.push(node)
        if (!node.isFolder) continue
        const text = keyText(node.path)
        if (this.expanded.value.has(text)) visit(text, node.path, depth + 1)
      }
      if (level !== undefined && (level.rest !== undefined || level.status === 'failed'))
        rows.push({ kind: 'more', path: bytes, depth, isFailed: level.status === 'failed' })
    }
    visit('', new Uint8Array(0), 0)
    return rows
  }

  /** Counts the folders among some rows that have no count yet. */
  want(rows: readonly TreeRow[]): void {
    this.countQueue.clear()
    for (const row of rows) {
      if (row.kind !== 'folder' || row.count !== undefined) continue
      const text = keyText(row.path)
      if (!this.uncountable.has(text) && !this.counting.has(text)) this.countQueue.set(text, row)
    }
    while (this.counting.size < countsAtOnceMax && this.countQueue.size > 0) void this.countNext()
  }

  private async countNext(): Promise<void> {
    const next = this.countQueue.entries().next()
    if (next.done === true) return
    const [text, node] = next.value
    this.countQueue.delete(text)
    this.counting.add(text)
    try {
      const range = rangeUnder(node.path)
      const reply = await kvApi.count({
        connectionId: this.connectionId,
        range,
        revision: this.revision,
      })
      this.setCount(node.path, reply.count)
    } catch (failure) {
      // A count is an extra: without it the folder still opens, and opening it tells the reason.
      passOverCall(failure)
      this.uncountable.add(text)
    } finally {
      this.counting.delete(text)
    }
    if (this.countQueue.size > 0) await this.countNext()
  }

  /** The first answer of a level tells how many keys it holds. */
  private noteCount(prefix: Uint8Array, count: number): void {
    if (prefix.length === 0) this.total.value = count
    else this.setCount(prefix, count)
  }

  private setCount(folder: Uint8Array, count: number): void {
    const path = keyText(parentOf({ path: folder, isFolder: true }, this.separatorBytes))
    const level = this.levels.value.get(path)
    if (level === undefined) return
    const nodes = level.nodes.map((one) =>
      one.isFolder && compareKeys(one.path, folder) === 0 ? { ...one, count } : one,
    )
    this.setLevel(path, { ...level, nodes })
  }

  private async countAll(): Promise<void> {
    try {
      const { connectionId } = this
      const reply = await kvApi.count({
        connectionId,
        range: { kind: 'all' },
        revision: this.revision,
      })
      this.total.value = reply.count
    } catch (failure) {
      this.total.value = undefined
      this.error.value = failure
    }
  }

  private async loadLevel(prefix: Uint8Array, depth: number, how: LevelReading): Promise<void> {
    const { revision } = this
    await this.read({ prefix, depth, nodes: [], from: prefix, revision }, how)
  }

  /** Reads a level. Of several readings of one level only the newest is shown; the others end with it. */
  private async read(reading: Reading, how: LevelReading): Promise<void> {
    const path = keyText(reading.prefix)
    const own = { done: Promise.resolve() }
    this.newestReadings.set(path, own)
    const isNewest = (): boolean => this.newestReadings.get(path) === own
    own.done = this.readLevel({ ...reading, isNewest }, how)
    await own.done
    const newest = this.newestReadings.get(path)
    if (newest === own) this.newestReadings.delete(path)
    else await newest?.done
  }

  private async readLevel(
    reading: NumberedReading,
    { wanted, after }: LevelReading,
  ): Promise<void> {
    const { isNewest } = reading
    const path = keyText(reading.prefix)
    const known = this.levels.value.get(path)
    let shown = known?.nodes.length ?? 0
    const isAnew = reading.nodes.length === 0
    const show = (status: TreeLevel['status']): void => {
      const nodes = foldersWithKeys(reading.nodes)
      shown = nodes.length
      this.setLevel(path, { status, nodes, rest: reading.from, revision: reading.revision })
    }
    if (known === undefined) show('loading')
    else this.setLevel(path, { ...known, status: 'loading' })
    try {
      await after
      let limit = pageRowsFirst
      while (reading.from !== undefined && reading.nodes.length < wanted) {
        limit = await this.readSome(reading, limit)
        if (!isNewest()) return
        if (reading.nodes.length >= shown + showEvery) show('loading')
      }
      show('ready')
      this.error.value = undefined
    } catch (failure) {
      if (!isNewest()) return
      this.error.value = failure
      // Children that were read before stay as they were, and are read anew once the cluster answers.
      const wasRead = isAnew && known !== undefined && known.nodes.length > 0
      if (wasRead && known.status !== 'failed' && mayAnswerLater(failure)) {
        this.setLevel(path, { ...known, status: 'ready' })
        return
      }
      if (path === '') this.total.value = undefined
      if (known !== undefined && known.nodes.length > reading.nodes.length)
        this.setLevel(path, { ...known, status: 'failed' })
      else show('failed')
    }
  }

  /** The children behind a place, from one page; answers how many rows the next page is to have. */
  private async readSome(reading: NumberedReading, limit: number): Promise<number> {
    const { from } = reading
    if (from === undefined) return limit
    const end = findPrefixEnd(reading.prefix)
    let width = 1
    for (;;) {
      const to = boundBehind(from, width, reading.prefix) ?? end
      const page = await kvApi.range({
        connectionId: this.connectionId,
        range: rangeBetween(from, to),
        limit,
        revision: reading.revision,
        valueBytesMax: 0,
      })
      if (!reading.isNewest()) return limit
      reading.revision = page.revision
      if (from === reading.prefix && isSame(to, end)) this.noteCount(reading.prefix, page.count)
      const rows = Array.from({ length: page.columns.rowCount }, (_, at) =>
        keyRowAt(page.columns, at),
      )
      const children = this.childrenOf(rows, reading)
      const last = children.at(-1)
      if (last === undefined) {
        if (isSame(to, end)) {
          reading.from = undefined
          return limit
        }
        width *= 2
        continue
      }
      const isLastWhole = !page.hasMore || !last.isFolder
      reading.nodes.push(...children.slice(0, -1))
      reading.nodes.push(isLastWhole ? last : { ...last, count: undefined })
      reading.from = isLastWhole && !page.hasMore ? to : behind(last)
      if (isLastWhole && !page.hasMore && isSame(to, end)) reading.from = undefined
      const isOneFolder = children.length === 1 && last.isFolder
      return isOneFolder ? Math.max(2, limit >> 2) : Math.min(pageRowsMax, limit * 2)
    }
  }

  private setLevel(path: string, level: TreeLevel): void {
    this.levels.value.set(path, level)
    triggerRef(this.levels)
  }

  private childrenOf(rows: readonly KeyRow[], { prefix, depth }: Reading): TreeNode[] {
    const separator = this.separatorBytes
    const children: TreeNode[] = []
    for (const row of rows) {
      const { key } = row
      const end = folderEnd(key, prefix.length, separator)
      const last = children.at(-1)
      if (end === undefined) {
        const name = keyText(key.subarray(prefix.length))
        const kinds = { kind: 'key', isFolder: false, isAlsoKey: false } as const
        children.push({ ...kinds, path: key, name: name === '' ? '∅' : name, count: 1, depth, row })
      } else if (last?.isFolder === true && compareKeys(last.path, key.subarray(0, end)) === 0) {
        children[children.length - 1] = { ...last, count: (last.count ?? 0) + 1 }
      } else {
        const name = keyText(key.subarray(prefix.length, end - separator.length))
        const kinds = { kind: 'folder', isFolder: true, isAlsoKey: false } as const
        const path = key.slice(0, end)
        children.push({ ...kinds, path, name: name === '' ? '∅' : name, count: 1, depth })
      }
    }
    return children
  }
}

/** The first place behind a child. */
function behind(node: TreeNode): Uint8Array | undefined {
  return node.isFolder ? findPrefixEnd(node.path) : successor(node.path)
}
