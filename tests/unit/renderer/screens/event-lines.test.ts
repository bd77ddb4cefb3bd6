import { describe, expect, test } from 'vitest'
import { textBytes } from '../../../../src/renderer/format/bytes-text.ts'
import { eventLines } from '../../../../src/renderer/screens/watch/event-lines.ts'
import type { WatchRow } from '../../../../src/renderer/stores/watch-pane.ts'

let lastId = 0
const change = (revision: number, key: string, watchId = 1): WatchRow => ({
  kind: 'change',
  id: ++lastId,
  watchId,
  op: 'put',
  change: { kind: 'put', key: textBytes(key), revision },
  seenAtMs: 0,
  isReplayed: false,
})
const everything = { text: '', kind: 'all' } as const
const shown = (
  rows: readonly WatchRow[],
  ...rest: [filter?: { text: string; kind: 'all' | 'delete' }, hidden?: ReadonlySet<number>]
): string[] =>
  eventLines(rows, rest[0] ?? everything, rest[1] ?? new Set()).map(
    ({ row, isFirst, isLast, groupSize }) =>
      row.kind === 'seam'
        ? 'seam'
        : `${new TextDecoder().decode(row.change.key)} ${isFirst ? 'first' : ''}${isLast ? 'last' : ''} ${String(groupSize)}`,
  )

describe('eventLines', () => {
  test('newest revision first, and the changes of one revision in their order', () => {
    expect(shown([change(1, 'a'), change(2, 'b'), change(2, 'c'), change(3, 'd')])).toEqual([
      'd firstlast 1',
      'b first 2',
      'c last 2',
      'a firstlast 1',
    ])
  })

  test('a seam stands where it was and splits no revision', () => {
    const seam: WatchRow = {
      kind: 'seam',
      id: 99,
      watchId: 1,
      seam: { kind: 'interrupted', reason: 'x' },
      seenAtMs: 0,
    }
    expect(shown([change(1, 'a'), seam, change(2, 'b')])).toEqual([
      'b firstlast 1',
      'seam',
      'a firstlast 1',
    ])
  })

  test('hidden watches and what does not match the filter are left out, and the groups shrink with them', () => {
    const rows = [change(2, 'apple'), change(2, 'pear', 2)]
    expect(shown(rows, everything, new Set([2]))).toEqual(['apple firstlast 1'])
    expect(shown(rows, { text: 'PEA', kind: 'all' })).toEqual(['pear firstlast 1'])
    expect(shown(rows, { text: '', kind: 'delete' })).toEqual([])
  })
})
