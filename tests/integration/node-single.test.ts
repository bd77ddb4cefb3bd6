import { afterEach, describe, expect, test } from 'vitest'
import { PutRequest, RangeRequest } from '../../src/core/proto/gen/rpc.ts'
import { bytes, NodeFixture, text } from '../helpers/node-fixture.ts'

let fixture: NodeFixture
afterEach(() => fixture.dispose())

const put = (key: string, value: string): PutRequest =>
  PutRequest.fromPartial({ key: bytes(key), value: bytes(value) })
const get = (key: string): RangeRequest => RangeRequest.fromPartial({ key: bytes(key) })

describe('a node alone', () => {
  test('is ready within a second and answers what was put', async () => {
    fixture = new NodeFixture(1, { heartbeatMs: 100, electionMs: 1_000 })
    const startedMs = performance.now()
    await fixture.startAll()
    expect(performance.now() - startedMs).toBeLessThan(1_000)
    const node = fixture.node('node1')
    const { revision } = await node.put(put('a', '1'))
    expect(revision).toBe(2)
    const range = await node.range(get('a'))
    expect(range.revision).toBe(2)
    expect(range.keyValues.map((pair) => text(pair.value))).toEqual(['1'])
  })
})
