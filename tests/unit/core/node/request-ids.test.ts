import { describe, expect, test } from 'vitest'
import { nodeId } from '../../../../src/core/base/ids.ts'
import { RequestIds } from '../../../../src/core/node/request-ids.ts'

describe('RequestIds', () => {
  test('are member, clock and counter', () => {
    const ids = new RequestIds(nodeId(0x1234_5678n), 0x01_0203_0405)
    expect(ids.draw().toString(16)).toBe('5678010203040501')
  })

  test('run over from the counter into the clock', () => {
    const ids = new RequestIds(nodeId(1n), 5)
    let last = 0n
    for (let count = 0; count < 1_000; count++) {
      const id = ids.draw()
      expect(id > last).toBe(true)
      last = id
    }
    expect((last >> 8n) & 0xffn).toBe(5n + 3n)
  })
})
