/**
 * The folders of a comparison's rows. Rows are in the order of their keys, so a folder is a stretch of them: it is found by
 * halving, and what it holds is not looked at before it is opened. Keys that follow one another in a folder are one stretch
 * too, however many they are.
 *
 * Folders that hold nothing but one folder are shown as one: `checkout/flags/`.
 */

import { compareKeys } from './key-order.ts'
import type { DifferenceView, KindCounts } from './difference-view.ts'

/** One line of the list. */
export type DifferenceLine =
  | {
      readonly kind: 'folder'
      /** With its separator at the end. */
      readonly path: Uint8Array
      /** Where its own name begins in the path. */
      readonly nameAt: number
      readonly depth: number
      readonly isOpen: boolean
      /** Positions in the view. */
      readonly start: number
      readonly end: number
      readonly counts: KindCounts
    }
  | {
      readonly kind: 'key'
      readonly position: number
      /** The table's row. */
      readonly row: number
      readonly nameAt: number
      readonly depth: number
    }

type Stretch =
  | { readonly kind: 'folder'; readonly path: Uint8Array; readonly start: number; end: number }
  | { readonly kind: 'keys'; readonly start: number; end: number }

/** Lines that follow one another: a folder, or a stretch of keys. */
interface Block {
  /** First line. */
  readonly at: number
  readonly stretch: Stretch
  readonly nameAt: number
  readonly depth: number
  readonly isOpen: boolean
}

export class DifferenceTree {
  /** Lines that are shown. */
  lineCount = 0
  private readonly view: DifferenceView
  private readonly separator: Uint8Array
  /** Texts of the paths that are open, and of all above them. */
  private readonly openPaths: Set<string>
  private readonly levels = new Map<string, Level>()
  private blocks: Block[] = []

  /** @param openPaths  of the tree that this one takes the place of, so that its folders stay open */
  constructor(view: DifferenceView, separator: Uint8Array, openPaths: Set<string>) {
    this.view = view
    this.separator = separator
    this.openPaths = openPaths
  }

  /** Lays the lines out anew: rows came in, or a folder was opened or closed. */
  layOut(): void {
    this.blocks = []
    this.lineCount = 0
    this.layOutLevel(new Uint8Array(0), { start: 0, end: this.view.length, depth: 0 })
  }

  /** The line at an index, or undefined outside of the list. */
  findLine(index: number): DifferenceLine | undefined {
    const block = this.findBlock(index)
    if (block === undefined) return undefined
    const { stretch, nameAt, depth, isOpen } = block
    if (stretch.kind === 'folder') {
      const { path, start, end } = stretch
      const counts = this.view.countsOf(start, end)
      return { kind: 'folder', path, nameAt, depth, isOpen, start, end, counts }
    }
    const position = stretch.start + index - block.at
    return { kind: 'key', position, row: this.view.rowAt(position), nameAt, depth }
  }

  /** Opens or closes a folder. */
  toggle(path: Uint8Array): void {
    if (this.isOpen(path)) this.close(path)
    else this.openFoldersOf(path)
    this.layOut()
  }

  /** Opens every folder. */
  openAll(): void {
    for (let position = 0; position < this.view.length; position++)
      this.openFoldersOf(this.view.keyAt(position))
    this.layOut()
  }

  /** The line of a position in the view; its folders are opened. */
  reveal(position: number): number {
    this.openFoldersOf(this.view.keyAt(position))
    this.layOut()
    const block = this.blocks.find(
      ({ stretch }) =>
        stretch.kind === 'keys' && stretch.start <= position && position < stretch.end,
    )
    return block === undefined ? -1 : block.at + position - block.stretch.start
  }

  /** The line of the folder that holds a line; the line itself at the top. */
  parentOf(index: number): number {
    const depth = this.findLine(index)?.depth ?? 0
    for (let at = this.blocks.length - 1; at >= 0; at--) {
      const block = this.blocks[at]
      if (block !== undefined && block.at < index && block.depth < depth) return block.at
    }
    return index
  }

  private layOutLevel(
    prefix: Uint8Array,
    { start, end, depth }: { readonly start: number; readonly end: number; readonly depth: number },
  ): void {
    for (const stretch of this.levelOf(prefix, start).stretchesUntil(end)) {
      const block = { at: this.lineCount, nameAt: prefix.length, depth }
      if (stretch.kind === 'keys') {
        this.blocks.push({ ...block, stretch, isOpen: false })
        this.lineCount += stretch.end - stretch.start
        continue
      }
      const folder = { ...stretch, path: this.joinedPath(stretch) }
      const isOpen = this.isOpen(folder.path)
      this.blocks.push({ ...block, stretch: folder, isOpen })
      this.lineCount++
      if (isOpen) this.layOutLevel(folder.path, { ...folder, depth: depth + 1 })
    }
  }

  private levelOf(prefix: Uint8Array, start: number): Level {
    const name = nameOf(prefix)
    const known = this.levels.get(name)
    if (known !== undefined) return known
    const level = new Level(this.view, this.separator, prefix.length, start)
    this.levels.set(name, level)
    return level
  }

  /** The longest folder that all keys of a stretch share: the first and the last of them tell. */
  private joinedPath({ path, start, end }: Extract<Stretch, { kind: 'folder' }>): Uint8Array {
    const first = this.view.keyAt(start)
    const last = this.view.keyAt(end - 1)
    let shared = path.length
    const sharedMax = Math.min(first.length, last.length)
    while (shared < sharedMax && first[shared] === last[shared]) shared++
    for (let at = shared; at > path.length; at--) {
      if (endsWithAt(first, at, this.separator)) return first.slice(0, at)
    }
    return path
  }

  private isOpen(path: Uint8Array): boolean {
    return this.openPaths.has(nameOf(path))
  }

  private close(path: Uint8Array): void {
    const name = nameOf(path)
    for (const open of [...this.openPaths]) if (open.startsWith(name)) this.openPaths.delete(open)
  }

  private openFoldersOf(key: Uint8Array): void {
    for (let at = this.separator.length; at <= key.length && this.separator.length > 0; at++) {
      if (endsWithAt(key, at, this.separator)) this.openPaths.add(nameOf(key.subarray(0, at)))
    }
  }

  private findBlock(index: number): Block | undefined {
    if (index < 0 || index >= this.lineCount) return undefined
    let low = 0
    let high = this.blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.blocks[middle]?.at ?? 0) <= index) low = middle
      else high = middle - 1
    }
    return this.blocks[low]
  }
}

/** The children of one folder, found as far as rows have come in. */
class Level {
  private readonly view: DifferenceView
  private readonly separator: Uint8Array
  private readonly prefixLength: number
  private readonly stretches: Stretch[] = []
  private seenEnd: number

  constructor(view: DifferenceView, separator: Uint8Array, prefixLength: number, start: number) {
    this.view = view
    this.separator = separator
    this.prefixLength = prefixLength
    this.seenEnd = start
  }

  stretchesUntil(end: number): readonly Stretch[] {
    while (this.seenEnd < end) this.seenEnd = this.takeAt(this.seenEnd, end)
    return this.stretches
  }

  /** Takes the child at a position; answers where the next one begins. */
  private takeAt(position: number, end: number): number {
    const key = this.view.keyAt(position)
    const pathLength = this.folderLengthOf(key)
    const last = this.stretches.at(-1)
    if (pathLength === 0) {
      if (last?.kind === 'keys') last.end = position + 1
      else this.stretches.push({ kind: 'keys', start: position, end: position + 1 })
      return position + 1
    }
    const path = key.slice(0, pathLength)
    const behind = this.endOf(path, position, end)
    if (last?.kind === 'folder' && compareKeys(last.path, path) === 0) last.end = behind
    else this.stretches.push({ kind: 'folder', path, start: position, end: behind })
    return behind
  }

  /** Length of the path of the folder that holds the key; 0 when the key stands in this level itself. */
  private folderLengthOf(key: Uint8Array): number {
    const { separator, prefixLength } = this
    if (separator.length === 0) return 0
    // A leading separator belongs to the first name: `/app/`, not `/` and `app/`.
    const isLeading = prefixLength === 0 && endsWithAt(key, separator.length, separator)
    let from = prefixLength + (isLeading ? separator.length : 0)
    for (;;) {
      const at = key.indexOf(separator[0] ?? 0, from)
      if (at < 0) return 0
      if (endsWithAt(key, at + separator.length, separator)) return at + separator.length
      from = at + 1
    }
  }

  /** Where the keys with a prefix end: in growing steps, then by halving. */
  private endOf(prefix: Uint8Array, start: number, end: number): number {
    let step = 1
    let low = start
    while (low + step < end && this.hasPrefix(low + step, prefix)) {
      low += step
      step *= 2
    }
    let high = Math.min(end, low + step)
    while (low + 1 < high) {
      const middle = (low + high) >>> 1
      if (this.hasPrefix(middle, prefix)) low = middle
      else high = middle
    }
    return high
  }

  private hasPrefix(position: number, prefix: Uint8Array): boolean {
    const key = this.view.keyAt(position)
    if (key.length < prefix.length) return false
    for (let at = prefix.length - 1; at >= 0; at--) if (key[at] !== prefix[at]) return false
    return true
  }
}

/** Whether the bytes before a place are these. */
function endsWithAt(key: Uint8Array, at: number, bytes: Uint8Array): boolean {
  if (at < bytes.length || at > key.length) return false
  for (let place = 0; place < bytes.length; place++)
    if (key[at - bytes.length + place] !== bytes[place]) return false
  return true
}

/** A path as a map's key: one character a byte. */
function nameOf(path: Uint8Array): string {
  let name = ''
  for (const byte of path) name += String.fromCharCode(byte)
  return name
}
