import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOfLatin1, latin1Of } from '../../../../src/core/base/bytes.ts'

describe('latin1Of', () => {
  it('has one unit for each byte, whatever the length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = latin1Of(bytes)
        expect(text).toBe(Buffer.from(bytes).toString('latin1'))
        expect(bytesOfLatin1(text)).toEqual(bytes)
      }),
    )
  })
})
