import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventLines } from '../../../../src/renderer/screens/watch/event-lines.ts'
import { firstView, viewOf } from '../../../../src/renderer/screens/watch/line-view.ts'
import type { LineView } from '../../../../src/renderer/screens/watch/line-view.ts'
import { SortedIds } from '../../../../src/renderer/stores/sorted-ids.ts'

/** Each row is a revision of its own. */
const placeOf = (id: number): number => id

/** A log that rows come into and leave, and a list that looks at it. */
class World {
  view: LineView
  private readonly ids = new SortedIds(placeOf)
  private readonly isNewestFirst: boolean
  private next = 1

  constructor(isNewestFirst: boolean, count: number) {
    this.isNewestFirst = isNewestFirst
    this.add(count)
    this.view = firstView(this.lines())
  }

  add(count: number): void {
    for (let at = 0; at < count; at++) this.ids.merge([this.next++])
  }

  drop(count: number): void {
    this.ids.dropFront(count)
  }

  look(isFollowing: boolean): void {
    this.view = viewOf(this.view, this.lines(), isFollowing)
  }

  private lines(): EventLines {
    const layout = { isNewestFirst: this.isNewestFirst, expanded: undefined }
    return new EventLines(this.ids, placeOf, layout)
  }
}

describe('the lines that are looked at', () => {
  test('rows that come in above push down what is in sight, and it stays in sight', () => {
    const world = new World(true, 10)
    world.add(3)
    world.look(false)
    expect(world.view).toMatchObject({ slotShift: 3, viewShift: 3 })
    world.add(500)
    world.drop(2)
    world.look(false)
    expect(world.view).toMatchObject({ slotShift: 503, viewShift: 503 })
  })

  test('rows that leave above pull up what is in sight', () => {
    const world = new World(false, 10)
    world.add(5)
    world.drop(4)
    world.look(false)
    expect(world.view).toMatchObject({ slotShift: -4, viewShift: -4 })
  })

  test('followed, a few rows take their elements along, and many find those that are there', () => {
    const newest = new World(true, 10)
    newest.add(2)
    newest.look(true)
    expect(newest.view).toMatchObject({ slotShift: 2, viewShift: 0 })
    newest.add(400)
    newest.look(true)
    expect(newest.view).toMatchObject({ slotShift: 2, viewShift: 0 })

    const last = new World(false, 10)
    last.add(2)
    last.look(true)
    expect(last.view).toMatchObject({ slotShift: 0, viewShift: 0 })
    last.add(400)
    last.look(true)
    expect(last.view).toMatchObject({ slotShift: 400, viewShift: 0 })
  })

  test('a row that is not followed keeps its slot and its place on the screen', () => {
    const steps = fc.array(fc.record({ added: fc.nat(80), dropped: fc.nat(20) }), { maxLength: 8 })
    fc.assert(
      fc.property(fc.boolean(), steps, (isNewestFirst, all) => {
        const world = new World(isNewestFirst, 300)
        const id = 250
        const slotOf = (): number => world.view.lines.indexOf(id) - world.view.slotShift
        const placeOnScreen = (): number => world.view.lines.indexOf(id) - world.view.viewShift
        const before = [slotOf(), placeOnScreen()]
        for (const { added, dropped } of all) {
          world.add(added)
          world.drop(dropped)
          world.look(false)
        }
        expect([slotOf(), placeOnScreen()]).toEqual(before)
      }),
    )
  })
})

test('lines know whether anything of them has changed', () => {
  const ids = new SortedIds(placeOf)
  ids.merge([1, 2, 3])
  const layout = { isNewestFirst: true, expanded: undefined }
  const lines = new EventLines(ids, placeOf, layout)
  expect(lines.isOf(ids, layout)).toBe(true)
  expect(lines.isOf(ids, { ...layout, isNewestFirst: false })).toBe(false)
  expect(lines.isOf(ids, { ...layout, expanded: { id: 2, lineCount: 5 } })).toBe(false)
  expect(lines.isOf(new SortedIds(placeOf), layout)).toBe(false)
  ids.merge([4])
  ids.dropFront(1)
  expect(lines.isOf(ids, layout)).toBe(false)
})
