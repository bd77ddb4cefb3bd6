import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteWriter } from '../../../../src/core/proto/byte-writer.ts'
import { PutRequest } from '../../../../src/core/proto/gen/rpc.ts'
import { putRequestSize, writePutRequest } from '../../../../src/core/proto/put-codec.ts'

const puts = fc.record({
  key: fc.uint8Array({ maxLength: 300 }),
  value: fc.uint8Array({ maxLength: 300 }),
  lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  prevKv: fc.boolean(),
  ignoreValue: fc.boolean(),
  ignoreLease: fc.boolean(),
})

test('a put has the bytes of the generated codec, and as many as announced', () => {
  fc.assert(
    fc.property(puts, (request) => {
      const writer = new ByteWriter(16)
      writePutRequest(writer, request)
      expect(writer.copied()).toEqual(Uint8Array.from(PutRequest.encode(request).finish()))
      expect(putRequestSize(request)).toBe(writer.length)
    }),
  )
})
