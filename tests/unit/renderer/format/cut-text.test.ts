import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { endsOf } from '../../../../src/renderer/format/cut-text.ts'

describe('endsOf', () => {
  test('a short name is one part', () => {
    expect(endsOf('/app/checkout/flags')).toEqual({ start: '/app/checkout/flags', end: '' })
  })

  test('of a path the last segment stays whole', () => {
    expect(endsOf('/registry/pods/payments/card-api')).toEqual({
      start: '/registry/pods/payments/',
      end: 'card-api',
    })
    expect(endsOf('/registry/configmaps/payments/')).toEqual({
      start: '/registry/configmaps/',
      end: 'payments/',
    })
  })

  test('of a long segment the last characters stay', () => {
    expect(endsOf('/pods/gateway-6c9f5d2b-xkqzw-with-a-long-name')).toEqual({
      start: '/pods/gateway-6c9f5d2b-xkqzw-with',
      end: '-a-long-name',
    })
  })

  test('nothing is lost, and no character is taken apart', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '/', '\u{1f600}'), maxLength: 60 })
    fc.assert(
      fc.property(text, (name) => {
        const { start, end } = endsOf(name)
        expect(start + end).toBe(name)
        expect(Array.from(start).length + Array.from(end).length).toBe(Array.from(name).length)
      }),
    )
  })
})
