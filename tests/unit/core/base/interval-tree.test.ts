import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes } from '../../../../src/core/base/bytes.ts'
import { IntervalTree, type Interval } from '../../../../src/core/base/interval-tree.ts'

const boundArbitrary = fc.uint8Array({ minLength: 1, maxLength: 2, max: 5 })
const intervalArbitrary: fc.Arbitrary<Interval> = fc.record({
  start: boundArbitrary,
  end: fc.option(boundArbitrary, { nil: undefined }),
})
const nameOf = ({ start, end }: Interval): string => `${start.join('.')}-${end?.join('.') ?? ''}`
const holds = ({ start, end }: Interval, key: Uint8Array): boolean =>
  compareBytes(start, key) <= 0 && (end === undefined || compareBytes(key, end) < 0)
const meets = (one: Interval, other: Interval): boolean =>
  (one.end === undefined || compareBytes(other.start, one.end) < 0) &&
  (other.end === undefined || compareBytes(one.start, other.end) < 0)

describe('IntervalTree', () => {
  test('finds what a plain list finds, through any insertions and removals', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ isRemoval: fc.boolean(), interval: intervalArbitrary }), {
          maxLength: 60,
        }),
        boundArbitrary,
        intervalArbitrary,
        (steps, key, searched) => {
          const tree = new IntervalTree<string>()
          const list = new Map<string, Interval>()
          for (const { isRemoval, interval } of steps) {
            const name = nameOf(interval)
            if (isRemoval) {
              expect(tree.delete(interval)).toBe(list.delete(name))
            } else {
              tree.set(interval, name)
              list.set(name, interval)
            }
          }
          expect(tree.size).toBe(list.size)
          const intervals = [...list.values()]
          for (const interval of intervals) expect(tree.get(interval)).toBe(nameOf(interval))
          const containing: string[] = []
          tree.visitContaining(key, (value) => containing.push(value))
          expect(containing.toSorted()).toEqual(
            intervals
              .filter((one) => holds(one, key))
              .map(nameOf)
              .toSorted(),
          )
          const overlapping: string[] = []
          tree.visitOverlapping(searched, (value) => overlapping.push(value))
          // An interval that is empty itself lies at a place; both sides agree that it is met where its place is inside.
          const isEmpty = ({ start, end }: Interval): boolean =>
            end !== undefined && compareBytes(start, end) >= 0
          if (!isEmpty(searched)) {
            expect(overlapping.filter((name) => !isEmpty(list.get(name)!)).toSorted()).toEqual(
              intervals
                .filter((one) => !isEmpty(one) && meets(one, searched))
                .map(nameOf)
                .toSorted(),
            )
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  test('stays balanced: a lookup among sorted insertions visits few nodes', () => {
    const tree = new IntervalTree<number>()
    for (let number = 0; number < 10_000; number++) {
      tree.set(
        {
          start: Uint8Array.of(number >> 8, number & 255),
          end: Uint8Array.of(number >> 8, number & 255, 1),
        },
        number,
      )
    }
    const found: number[] = []
    tree.visitContaining(Uint8Array.of(10, 20), (value) => found.push(value))
    expect(found).toEqual([10 * 256 + 20])
  })
})
