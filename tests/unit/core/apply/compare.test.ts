import { beforeEach, describe, expect, test } from 'vitest'
import { isConditionMet } from '../../../../src/core/apply/compare.ts'
import { Compare } from '../../../../src/core/proto/gen/rpc.ts'
import { ApplyFixture, bytes } from './apply-fixture.ts'

let fixture: ApplyFixture
beforeEach(async () => {
  fixture = await ApplyFixture.open()
  // a: created 2, modified 4, version 2, value y · b: created 3, version 1, value x
  fixture.put('a', 'x')
  fixture.put('b', 'x')
  fixture.put('a', 'y')
})

type Given = Compare['targetUnion']
const isMet = (
  key: string,
  relation: string,
  given: Given,
  more: Partial<Compare> = {},
): boolean => {
  const target = { version: 0, createRevision: 1, modRevision: 2, value: 3, lease: 4 }[given!.$case]
  const result = { '=': 0, '>': 1, '<': 2, '!=': 3 }[relation] ?? 9
  return isConditionMet(
    fixture.state.store,
    Compare.fromPartial({
      key: bytes(key),
      result,
      target,
      targetUnion: given,
      ...more,
    } as Compare),
  )
}
const value = (text: string): Given => ({ $case: 'value', value: bytes(text) })
const number = (
  $case: 'version' | 'createRevision' | 'modRevision' | 'lease',
  of: bigint,
): Given => ({
  $case,
  value: of,
})

describe('isConditionMet', () => {
  test.each<[string, string, Given, boolean]>([
    ['a', '=', number('version', 2n), true],
    ['a', '!=', number('version', 2n), false],
    ['a', '=', number('createRevision', 2n), true],
    ['a', '=', number('modRevision', 4n), true],
    ['a', '<', number('modRevision', 5n), true],
    ['a', '>', number('modRevision', 4n), false],
    ['a', '<', number('modRevision', 2n ** 63n - 1n), true],
    ['a', '=', number('lease', 0n), true],
    ['a', '=', value('y'), true],
    ['a', '>', value('x'), true],
    ['a', '<', value('yy'), true],
    ['missing', '=', number('version', 0n), true],
    ['missing', '=', number('createRevision', 0n), true],
    ['missing', '<', number('modRevision', 1n), true],
    ['missing', '=', value(''), false],
    ['missing', '!=', value('x'), false],
    ['missing', '>', value(''), false],
    ['a', 'unknown', number('version', 99n), true],
  ])('%s %s %o is %s', (key, relation, given, expected) => {
    expect(isMet(key, relation, given)).toBe(expected)
  })

  test('asks every key of a range', () => {
    const prefix = { rangeEnd: bytes('c') }
    expect(isMet('a', '>', number('version', 0n), prefix)).toBe(true)
    expect(isMet('a', '=', number('version', 1n), prefix)).toBe(false)
    expect(isMet('x', '=', number('version', 0n), { rangeEnd: bytes('z') })).toBe(true)
    expect(isMet('x', '!=', value('q'), { rangeEnd: bytes('z') })).toBe(false)
  })

  test('takes a value given for another target as zero', () => {
    expect(isMet('missing', '=', number('version', 7n), { target: 1 })).toBe(true)
  })

  test('takes an unknown target for equal', () => {
    const unknown = { target: 77 as Compare['target'] }
    expect(isMet('a', '=', number('version', 9n), unknown)).toBe(true)
    expect(isMet('a', '!=', number('version', 9n), unknown)).toBe(false)
  })
})
