/**
 * Values under ranges of byte strings; finds all ranges that hold a key, or that meet another range.
 *
 * A balanced search tree (AVL) ordered by start, then end, in which each node knows the greatest end below it: a subtree
 * whose greatest end is not behind the key holds no match and is not entered. A lookup costs O(log n + matches).
 *
 * @see Cormen et al., Introduction to Algorithms, "Interval trees"
 */

import { compareBytes } from './bytes.ts'

/** `[start, end)` in byte order; without an end, everything not before the start. */
export interface Interval {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
}

interface Node<Value> {
  readonly interval: Interval
  value: Value
  left: Node<Value> | undefined
  right: Node<Value> | undefined
  height: number
  /** Greatest end in this subtree; undefined is greater than all. */
  greatestEnd: Uint8Array | undefined
}

/** At most one value per range. The bounds are kept, not copied: never write to them. */
export class IntervalTree<Value> {
  private root: Node<Value> | undefined
  private nodeCount = 0

  get size(): number {
    return this.nodeCount
  }

  /** Puts the value, over an older one of the same range. */
  set(interval: Interval, value: Value): void {
    this.root = this.insert(this.root, interval, value)
  }

  get(interval: Interval): Value | undefined {
    let node = this.root
    while (node !== undefined) {
      const order = compareIntervals(interval, node.interval)
      if (order === 0) return node.value
      node = order < 0 ? node.left : node.right
    }
    return undefined
  }

  /** @returns whether there was one */
  delete(interval: Interval): boolean {
    const countBefore = this.nodeCount
    this.root = this.removeFrom(this.root, interval)
    return this.nodeCount < countBefore
  }

  /** Visits the values of all ranges that hold the key, in the order of their starts. */
  visitContaining(key: Uint8Array, visit: (value: Value, interval: Interval) => void): void {
    visitWhere(this.root, { isFirstBehind: (start) => compareBytes(start, key) > 0, key }, visit)
  }

  /** Visits the values of all ranges that share a key with this one, in the order of their starts. */
  visitOverlapping(
    { start, end }: Interval,
    visit: (value: Value, interval: Interval) => void,
  ): void {
    const isFirstBehind = (nodeStart: Uint8Array): boolean =>
      end !== undefined && compareBytes(nodeStart, end) >= 0
    visitWhere(this.root, { isFirstBehind, key: start }, visit)
  }

  private insert(node: Node<Value> | undefined, interval: Interval, value: Value): Node<Value> {
    if (node === undefined) {
      this.nodeCount++
      const { end } = interval
      return { interval, value, left: undefined, right: undefined, height: 1, greatestEnd: end }
    }
    const order = compareIntervals(interval, node.interval)
    if (order === 0) {
      node.value = value
      return node
    }
    if (order < 0) node.left = this.insert(node.left, interval, value)
    else node.right = this.insert(node.right, interval, value)
    return balance(node)
  }

  private removeFrom(node: Node<Value> | undefined, interval: Interval): Node<Value> | undefined {
    if (node === undefined) return undefined
    const order = compareIntervals(interval, node.interval)
    if (order < 0) node.left = this.removeFrom(node.left, interval)
    else if (order > 0) node.right = this.removeFrom(node.right, interval)
    else {
      this.nodeCount--
      if (node.left === undefined) return node.right
      if (node.right === undefined) return node.left
      const { first, rest } = takeFirst(node.right)
      first.left = node.left
      first.right = rest
      return balance(first)
    }
    return balance(node)
  }
}

/** Visits nodes whose start is not behind the searched part and whose end is behind `key`. */
function visitWhere<Value>(
  node: Node<Value> | undefined,
  searched: { readonly isFirstBehind: (start: Uint8Array) => boolean; readonly key: Uint8Array },
  visit: (value: Value, interval: Interval) => void,
): void {
  if (node === undefined || !isBehind(node.greatestEnd, searched.key)) return
  visitWhere(node.left, searched, visit)
  if (searched.isFirstBehind(node.interval.start)) return
  if (isBehind(node.interval.end, searched.key)) visit(node.value, node.interval)
  visitWhere(node.right, searched, visit)
}

function isBehind(end: Uint8Array | undefined, key: Uint8Array): boolean {
  return end === undefined || compareBytes(end, key) > 0
}

function compareIntervals(left: Interval, right: Interval): number {
  const order = compareBytes(left.start, right.start)
  return order !== 0 ? order : compareEnds(left.end, right.end)
}

function compareEnds(left: Uint8Array | undefined, right: Uint8Array | undefined): number {
  if (left === undefined || right === undefined) {
    return (left === undefined ? 1 : 0) - (right === undefined ? 1 : 0)
  }
  return compareBytes(left, right)
}

function takeFirst<Value>(node: Node<Value>): {
  readonly first: Node<Value>
  readonly rest: Node<Value> | undefined
} {
  if (node.left === undefined) return { first: node, rest: node.right }
  const { first, rest } = takeFirst(node.left)
  node.left = rest
  return { first, rest: balance(node) }
}

function balance<Value>(node: Node<Value>): Node<Value> {
  const lean = heightOf(node.left) - heightOf(node.right)
  if (lean > 1 && node.left !== undefined) {
    const { left } = node
    if (heightOf(left.left) < heightOf(left.right)) node.left = rotateLeft(left)
    return rotateRight(node)
  }
  if (lean < -1 && node.right !== undefined) {
    const { right } = node
    if (heightOf(right.right) < heightOf(right.left)) node.right = rotateRight(right)
    return rotateLeft(node)
  }
  refresh(node)
  return node
}

function rotateLeft<Value>(node: Node<Value>): Node<Value> {
  const { right } = node
  if (right === undefined) return node
  node.right = right.left
  right.left = node
  refresh(node)
  refresh(right)
  return right
}

function rotateRight<Value>(node: Node<Value>): Node<Value> {
  const { left } = node
  if (left === undefined) return node
  node.left = left.right
  left.right = node
  refresh(node)
  refresh(left)
  return left
}

function refresh<Value>(node: Node<Value>): void {
  const { left, right } = node
  node.height = 1 + Math.max(heightOf(left), heightOf(right))
  let greatest = node.interval.end
  if (left !== undefined && compareEnds(left.greatestEnd, greatest) > 0) greatest = left.greatestEnd
  if (right !== undefined && compareEnds(right.greatestEnd, greatest) > 0) {
    greatest = right.greatestEnd
  }
  node.greatestEnd = greatest
}

function heightOf<Value>(node: Node<Value> | undefined): number {
  return node === undefined ? 0 : node.height
}
