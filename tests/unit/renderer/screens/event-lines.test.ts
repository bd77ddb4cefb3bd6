import { describe, expect, test } from 'vitest'
import { EventLines } from '../../../../src/renderer/screens/watch/event-lines.ts'
import { SortedIds } from '../../../../src/renderer/stores/sorted-ids.ts'

/** The place of an id is its tens: 21 and 22 are two changes of one revision. */
const placeOf = (id: number): number => Math.floor(id / 10)

function idsOf(...ids: number[]): SortedIds {
  const sorted = new SortedIds(placeOf)
  for (const id of ids) sorted.merge([id])
  return sorted
}

function shown(lines: EventLines): string[] {
  return Array.from({ length: lines.count }, (_, index) => {
    const line = lines.at(index)
    if (line?.kind !== 'row') return line?.kind ?? 'nothing'
    const marks = [line.isFirst && 'first', line.isSecond && 'second', line.isLast && 'last']
    return [line.id, ...marks.filter(Boolean), line.groupSize].join(' ')
  })
}

describe('EventLines', () => {
  const ids = idsOf(11, 21, 22, 23, 31)

  test('newest revision first, and the changes of one revision in their order', () => {
    const lines = new EventLines(ids, placeOf, { isNewestFirst: true, expanded: undefined })
    expect(shown(lines)).toEqual([
      '31 first last 1',
      '21 first 3',
      '22 second 3',
      '23 last 3',
      '11 first last 1',
    ])
    expect([31, 21, 22, 23, 11].map((id) => lines.indexOf(id))).toEqual([0, 1, 2, 3, 4])
    expect(lines.indexOf(99)).toBe(-1)
  })

  test('newest last is the order of the log', () => {
    const lines = new EventLines(ids, placeOf, { isNewestFirst: false, expanded: undefined })
    expect(shown(lines)).toEqual([
      '11 first last 1',
      '21 first 3',
      '22 second 3',
      '23 last 3',
      '31 first last 1',
    ])
    expect(lines.indexOf(23)).toBe(3)
  })

  test('the details of a row stand below it, and the rows behind it move', () => {
    const layout = { isNewestFirst: true, expanded: { id: 22, lineCount: 2 } }
    const lines = new EventLines(ids, placeOf, layout)
    expect(shown(lines).map((line) => line.split(' ')[0])).toEqual([
      ...['31', '21', '22', 'details', 'details', '23', '11'],
    ])
    expect(lines.indexOf(22)).toBe(2)
    expect(lines.indexOf(23)).toBe(5)
    expect(lines.idAt(4)).toBe(22)
  })

  test('lines keep their rows while rows come and go behind them', () => {
    const moving = idsOf(11, 21, 31, 41)
    const lines = new EventLines(moving, placeOf, { isNewestFirst: true, expanded: undefined })
    moving.merge([51])
    moving.dropFront(1)
    expect(lines.idAt(0)).toBe(41)
    expect(lines.idAt(2)).toBe(21)
    expect(lines.idAt(3)).toBeUndefined()
    expect(lines.indexOf(21)).toBe(2)
  })
})
