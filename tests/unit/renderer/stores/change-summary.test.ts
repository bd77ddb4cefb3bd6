import { describe, expect, test } from 'vitest'
import { summaryOf } from '../../../../src/renderer/stores/change-summary.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const of = (before: string, after: string): ReturnType<typeof summaryOf> =>
  summaryOf(bytes(before), bytes(after))

describe('summaryOf', () => {
  test('names the one member that changed, with both values', () => {
    expect(of('{"a":{"percent":20},"b":1}', '{"b":1,"a":{"percent":35}}')).toEqual({
      kind: 'member',
      path: 'percent',
      before: '20',
      after: '35',
    })
  })

  test('names what was added or removed by its list', () => {
    expect(of('{"segments":["x"]}', '{"segments":["x","y"]}')).toEqual({
      kind: 'added',
      path: 'segments[1]',
    })
    expect(of('{"a":1,"b":2}', '{"a":1}')).toEqual({ kind: 'removed', path: 'b' })
  })

  test('counts several', () => {
    expect(of('{"a":1,"b":2}', '{"a":2,"b":3}')).toEqual({ kind: 'members', path: 'a', count: 2 })
  })

  test('other spelling of the same JSON is no change of a member', () => {
    expect(of('{"a":1}', '{ "a": 1 }')).toEqual({ kind: 'same' })
  })

  test('short texts are told whole, others by their size', () => {
    expect(of('on', 'off')).toEqual({ kind: 'text', before: 'on', after: 'off' })
    expect(of('x'.repeat(100), 'x'.repeat(90))).toEqual({ kind: 'size', byBytes: -10 })
    expect(summaryOf(Uint8Array.of(0xff, 1), Uint8Array.of(0xff))).toEqual({
      kind: 'size',
      byBytes: -1,
    })
  })

  test('long members are named without their values', () => {
    const long = 'x'.repeat(80)
    expect(of(`{"a":"${long}"}`, `{"a":"${long}y"}`)).toEqual({ kind: 'changed', path: 'a' })
  })
})
