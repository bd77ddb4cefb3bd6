/** Where it is busy: how many of the newest events fall under which prefix, to some depth. Pure. */

import { keyText } from '../../format/bytes-text.ts'
import type { WatchLog } from '../../stores/watch-log.ts'

/** One prefix with its events. */
export interface PrefixHeat {
  readonly prefix: string
  /** The last segment of the prefix. */
  readonly name: string
  readonly depth: number
  readonly count: number
}

interface Node {
  count: number
  readonly children: Map<string, Node>
}

const depthMax = 3
const linesMax = 24
/** A prefix with less than this part of all events is passed over. */
const partMin = 0.01

/**
 * Prefixes of the newest events, the busiest first on each level, in the order of a tree.
 *
 * @param sampleMax  how many events are looked at
 */
export function prefixHeat(
  log: WatchLog,
  { separator, sampleMax }: { readonly separator: string; readonly sampleMax: number },
): { readonly lines: readonly PrefixHeat[]; readonly sampleCount: number } {
  if (separator === '') return { lines: [], sampleCount: 0 }
  const root: Node = { count: 0, children: new Map() }
  const { order } = log
  for (let at = order.length - 1; at >= Math.max(0, order.length - sampleMax); at--) {
    const id = order.at(at) ?? 0
    if (log.opOf(id) !== undefined) addKey(root, keyText(log.keyOf(id)), separator)
  }
  const lines: PrefixHeat[] = []
  collect(root, { prefix: '', depth: 0, least: root.count * partMin, separator }, lines)
  return { lines: lines.slice(0, linesMax), sampleCount: root.count }
}

function addKey(root: Node, text: string, separator: string): void {
  root.count++
  let node = root
  let start = 0
  for (let depth = 0; depth < depthMax; depth++) {
    // A separator at the very front belongs to the first name.
    const end = text.indexOf(separator, start === 0 ? separator.length : start)
    if (end < 0) return
    const name = text.slice(start, end)
    const child = node.children.get(name) ?? { count: 0, children: new Map<string, Node>() }
    node.children.set(name, child)
    child.count++
    node = child
    start = end + separator.length
  }
}

function collect(
  node: Node,
  place: {
    readonly prefix: string
    readonly depth: number
    readonly least: number
    readonly separator: string
  },
  lines: PrefixHeat[],
): void {
  const busiest = [...node.children].toSorted(([, left], [, right]) => right.count - left.count)
  for (const [name, child] of busiest) {
    if (child.count < place.least) continue
    const prefix = `${place.prefix}${name}${place.separator}`
    lines.push({ prefix, name, depth: place.depth, count: child.count })
    collect(child, { ...place, prefix, depth: place.depth + 1 }, lines)
  }
}
