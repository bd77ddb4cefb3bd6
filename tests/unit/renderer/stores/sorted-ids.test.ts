import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SortedIds } from '../../../../src/renderer/stores/sorted-ids.ts'

describe('SortedIds', () => {
  test('equals a sorted list, whatever is merged into it and dropped from its front', () => {
    const step = fc.oneof(
      fc.record({ places: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 30 }) }),
      fc.record({ dropped: fc.integer({ min: 0, max: 20 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const places: number[] = []
        const placeOf = (id: number): number => places[id] ?? 0
        const ids = new SortedIds(placeOf)
        let model: number[] = []
        for (const one of steps) {
          if ('dropped' in one) {
            ids.dropFront(one.dropped)
            model = model.slice(one.dropped)
          } else {
            const added = one.places
              .toSorted((left, right) => left - right)
              .map((place) => places.push(place) - 1)
            ids.merge(added)
            model = [...model, ...added].toSorted(
              (left, right) => placeOf(left) - placeOf(right) || left - right,
            )
          }
          expect([...ids.toArray()]).toEqual(model)
          expect(model.map((id) => ids.indexOf(id))).toEqual(model.map((_, at) => at))
        }
        const copy = new SortedIds(placeOf)
        copy.copyFrom(ids)
        expect([...copy.toArray()]).toEqual(model)
      }),
    )
  })
})
