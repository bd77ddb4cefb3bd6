/** What a role allows, in the form in which it is checked. */
import { compareBytes, emptyBytes } from '../base/bytes.ts'

/** What is allowed on a range; the numbers are the wire's. A number that is not known here allows nothing. */
export const permissionTypes = { read: 0, write: 1, readWrite: 2 } as const

/** One permission of a role. An empty end: the key alone. An end of one zero byte: everything from the key on. */
export interface Permission {
  readonly type: number
  readonly key: Uint8Array
  readonly rangeEnd: Uint8Array
}

export type AccessKind = 'read' | 'write'

/** Whether a permission counts for that kind of access. */
export function allows(permission: Permission, access: AccessKind): boolean {
  if (permission.type === permissionTypes.readWrite) return true
  return permission.type === permissionTypes[access]
}

/** Whether an end says "everything from the key on". */
export function isOpenEnd(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0
}

/** Whether a permission can be granted: a key, and an end that is not before it. */
export function isValidPermission(permission: Permission): boolean {
  const { key, rangeEnd } = permission
  if (key.length === 0) return false
  return rangeEnd.length === 0 || isOpenEnd(rangeEnd) || compareBytes(key, rangeEnd) < 0
}

/** By key, then by end; 0 for the same range. */
export function comparePermissions(left: Permission, right: Permission): number {
  return compareBytes(left.key, right.key) || compareBytes(left.rangeEnd, right.rangeEnd)
}

interface Stretch {
  readonly start: Uint8Array
  /** Undefined: without end. */
  end: Uint8Array | undefined
}

/**
 * The union of ranges, asked whether it covers a range.
 *
 * Permissions of several roles may cover together what none of them covers alone: `[a, b)` and `[b, c)` allow `[a, c)`.
 * So they are merged once into stretches with gaps between them, sorted; a range is covered when it lies within one, which
 * a binary search tells. The key `k` alone is the range `[k, k\0)`.
 */
export class CoveredRanges {
  private readonly stretches: Stretch[] = []

  constructor(permissions: readonly Permission[]) {
    const sorted = permissions
      .map(stretchOf)
      .sort((left, right) => compareBytes(left.start, right.start))
    for (const stretch of sorted) this.add(stretch)
  }

  /** @param rangeEnd as on the wire: empty for the key alone, one zero byte for everything from the key on */
  covers(key: Uint8Array, rangeEnd: Uint8Array): boolean {
    const asked = stretchOf({ key, rangeEnd })
    const stretch = this.lastStartingAtOrBefore(asked.start)
    if (stretch === undefined) return false
    if (stretch.end === undefined) return true
    if (asked.end === undefined) return false
    return compareBytes(asked.end, stretch.end) <= 0 && compareBytes(asked.start, stretch.end) < 0
  }

  private add(stretch: Stretch): void {
    const last = this.stretches.at(-1)
    if (last === undefined) {
      this.stretches.push(stretch)
      return
    }
    if (last.end === undefined) return
    if (compareBytes(stretch.start, last.end) > 0) {
      this.stretches.push(stretch)
    } else if (stretch.end === undefined || compareBytes(stretch.end, last.end) > 0) {
      last.end = stretch.end
    }
  }

  private lastStartingAtOrBefore(key: Uint8Array): Stretch | undefined {
    let low = 0
    let high = this.stretches.length
    while (low < high) {
      const middle = (low + high) >> 1
      const candidate = this.stretches[middle]
      if (candidate !== undefined && compareBytes(candidate.start, key) <= 0) low = middle + 1
      else high = middle
    }
    return this.stretches[low - 1]
  }
}

function stretchOf(range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }): Stretch {
  const { key, rangeEnd } = range
  if (isOpenEnd(rangeEnd)) return { start: key, end: undefined }
  if (rangeEnd.length > 0) return { start: key, end: rangeEnd }
  const end = new Uint8Array(key.length + 1)
  end.set(key)
  return { start: key, end }
}

/** Everything, as the role `root` is shown to hold it. */
export const permissionOnEverything: Permission = {
  type: permissionTypes.readWrite,
  key: emptyBytes,
  rangeEnd: Uint8Array.of(0),
}
