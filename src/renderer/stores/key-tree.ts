/**
 * Folders of keys. A folder is a common prefix, not a stored thing, so one level is found without reading its inside:
 * read a page of keys, take the folders that end inside of it (their counts are then known), ask for the count of the
 * last one, and go on behind its prefix.
 *
 * Example with pages of four keys: `/a/1 /a/2 /b/1 /c/1 | /c/2 … /c/9000 /d` needs two pages and one count, not 9,000 keys.
 */

import { shallowRef, triggerRef } from 'vue'
import { keyRowAt } from '../../preload/contract/key-columns.ts'
import type { KeyColumns, KeyRange } from '../../preload/contract/kv.ts'
import { kvApi } from '../api/kv-api.ts'
import { keyText, textBytes } from '../format/bytes-text.ts'
import { compareKeys } from './key-table.ts'
import { rangeUnder } from './key-browser.ts'

const pageRows = 500
/** More children than this are not listed in the tree; the list beside it shows them all. */
const childrenMax = 2_000

/** One folder or key of the tree. */
export interface TreeNode {
  /** Whole key, or whole prefix with its separator. */
  readonly path: Uint8Array
  /** The part behind its parent. */
  readonly name: string
  readonly isFolder: boolean
  /** A key of this very name exists beside the folder. */
  readonly isAlsoKey: boolean
  /** Keys inside, 1 for a key. */
  readonly count: number
  readonly depth: number
}

/** A folder's children, when they were read. */
export interface TreeLevel {
  readonly status: 'loading' | 'ready' | 'failed'
  readonly nodes: readonly TreeNode[]
  /** More children exist than the tree lists. */
  readonly isCut: boolean
}

/** The tree of one connection. Levels are read when their folder opens. */
export class KeyTree {
  readonly connectionId: string
  readonly separator: string
  /** Children by the text of their parent's path; triggered when one changes. */
  readonly levels = shallowRef(new Map<string, TreeLevel>())
  readonly expanded = shallowRef(new Set<string>())
  readonly error = shallowRef<unknown>()

  constructor(connectionId: string, separator: string) {
    this.connectionId = connectionId
    this.separator = separator
  }

  loadRoot(): Promise<void> {
    return this.loadLevel(new Uint8Array(0), 0)
  }

  /** Opens or closes a folder. */
  toggle(node: TreeNode): void {
    const path = keyText(node.path)
    const expanded = this.expanded.value
    if (!expanded.delete(path)) {
      expanded.add(path)
      if (!this.levels.value.has(path)) void this.loadLevel(node.path, node.depth + 1)
    }
    triggerRef(this.expanded)
  }

  /** Reads every open level anew. */
  async refresh(): Promise<void> {
    await this.loadRoot()
    for (const level of [...this.levels.value.values()]) {
      for (const node of level.nodes) {
        if (node.isFolder && this.expanded.value.has(keyText(node.path)))
          await this.loadLevel(node.path, node.depth + 1)
      }
    }
  }

  /** Visible nodes from top to bottom. */
  rows(): readonly TreeNode[] {
    const rows: TreeNode[] = []
    const visit = (path: string): void => {
      for (const node of this.levels.value.get(path)?.nodes ?? []) {
        rows.push(node)
        const text = keyText(node.path)
        if (node.isFolder && this.expanded.value.has(text)) visit(text)
      }
    }
    visit('')
    return rows
  }

  private async loadLevel(prefix: Uint8Array, depth: number): Promise<void> {
    const path = keyText(prefix)
    const known = this.levels.value.get(path)
    this.setLevel(path, { status: 'loading', nodes: known?.nodes ?? [], isCut: false })
    try {
      const { nodes, isCut } = await this.readChildren(prefix, depth)
      this.setLevel(path, { status: 'ready', nodes, isCut })
      this.error.value = undefined
    } catch (failure) {
      this.error.value = failure
      this.setLevel(path, { status: 'failed', nodes: known?.nodes ?? [], isCut: false })
    }
  }

  private setLevel(path: string, level: TreeLevel): void {
    this.levels.value.set(path, level)
    triggerRef(this.levels)
  }

  private async readChildren(
    prefix: Uint8Array,
    depth: number,
  ): Promise<{ nodes: readonly TreeNode[]; isCut: boolean }> {
    const nodes: TreeNode[] = []
    let range: KeyRange = rangeUnder(prefix)
    let revision = 0
    while (nodes.length < childrenMax) {
      const page = await kvApi.range({
        connectionId: this.connectionId,
        range,
        limit: pageRows,
        revision,
        valueBytesMax: 0,
      })
      revision = page.revision
      const children = this.childrenOf(page.columns, prefix, depth)
      const last = children.at(-1)
      if (last === undefined || !page.hasMore)
        return { nodes: foldersWithKeys([...nodes, ...children]), isCut: false }
      const counted = last.isFolder ? await this.withCount(last, revision) : last
      nodes.push(...children.slice(0, -1), counted)
      const rest = restBehind(last, prefix)
      if (rest === undefined) return { nodes: foldersWithKeys(nodes), isCut: false }
      range = rest
    }
    return { nodes: foldersWithKeys(nodes), isCut: true }
  }

  /** The last folder of a page may go on behind it, so its keys are counted by the server. */
  private async withCount(node: TreeNode, revision: number): Promise<TreeNode> {
    const { connectionId } = this
    const reply = await kvApi.count({ connectionId, range: rangeUnder(node.path), revision })
    return { ...node, count: reply.count }
  }

  private childrenOf(columns: KeyColumns, prefix: Uint8Array, depth: number): TreeNode[] {
    const separator = textBytes(this.separator)
    const children: TreeNode[] = []
    for (let row = 0; row < columns.rowCount; row++) {
      const { key } = keyRowAt(columns, row)
      const end = folderEnd(key, prefix.length, separator)
      const last = children.at(-1)
      if (end === undefined) {
        children.push({
          path: key,
          name: keyText(key.subarray(prefix.length)),
          isFolder: false,
          isAlsoKey: false,
          count: 1,
          depth,
        })
      } else if (last?.isFolder === true && compareKeys(last.path, key.subarray(0, end)) === 0) {
        children[children.length - 1] = { ...last, count: last.count + 1 }
      } else {
        const name = keyText(key.subarray(prefix.length, end - separator.length))
        children.push({
          path: key.slice(0, end),
          name: name === '' ? '∅' : name,
          isFolder: true,
          isAlsoKey: false,
          count: 1,
          depth,
        })
      }
    }
    return children
  }
}

/** Where the folder of a key ends, behind its separator. A separator at the very start belongs to the first name. */
function folderEnd(key: Uint8Array, start: number, separator: Uint8Array): number | undefined {
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

/** What is left of a parent's range behind one of its children; undefined when nothing can be there. */
function restBehind(node: TreeNode, parent: Uint8Array): KeyRange | undefined {
  const start = node.isFolder ? findPrefixEnd(node.path) : Uint8Array.of(...node.path, 0)
  if (start === undefined) return undefined
  const end = findPrefixEnd(parent)
  return end === undefined ? { kind: 'from', start } : { kind: 'interval', start, end }
}

/** The first key behind every key with this prefix; undefined when the prefix is empty or all 0xff. */
function findPrefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let at = prefix.length - 1; at >= 0; at--) {
    const byte = prefix[at] ?? 0
    if (byte < 0xff) return Uint8Array.of(...prefix.subarray(0, at), byte + 1)
  }
  return undefined
}

/** A name that is both key and folder stands once, marked as both. */
function foldersWithKeys(nodes: readonly TreeNode[]): readonly TreeNode[] {
  const keys = new Map(nodes.filter((node) => !node.isFolder).map((node) => [node.name, node]))
  const folders = new Set(nodes.filter((node) => node.isFolder).map((node) => node.name))
  return nodes
    .filter((node) => node.isFolder || !folders.has(node.name))
    .map((node) =>
      node.isFolder && keys.has(node.name) ? { ...node, isAlsoKey: true, count: node.count } : node,
    )
}
