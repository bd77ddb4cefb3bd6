import { describe, expect, test } from 'vitest'
import { CancelSource, type Cancellation } from '../../../../src/core/base/cancellation.ts'
import { nodeId } from '../../../../src/core/base/ids.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import { LinearizableReads } from '../../../../src/core/node/linearizable-read.ts'
import { RequestIds } from '../../../../src/core/node/request-ids.ts'
import { ManualClock } from './manual-clock.ts'

function build() {
  const clock = new ManualClock()
  const node = {
    appliedIndex: 10,
    hasLeader: true,
    asked: [] as Uint8Array[],
    wakes: 0,
    indexAlone: undefined as number | undefined,
  }
  const reads = new LinearizableReads(clock, new RequestIds(nodeId(1n), 0), {
    timeoutMs: 7_000,
    ask: (context) => {
      if (!node.hasLeader) return 'noLeader'
      node.asked.push(context)
      return 'accepted'
    },
    indexAlone: () => node.indexAlone,
    appliedIndex: () => node.appliedIndex,
    wake: () => node.wakes++,
  })
  const settled: string[] = []
  const read = (name: string, cancellation?: Cancellation): void => {
    reads.confirm(cancellation).then(
      () => settled.push(name),
      (error: unknown) =>
        settled.push(`${name} ${error instanceof StoreError ? error.code : 'failed'}`),
    )
  }
  const seen = async (): Promise<string[]> => {
    await new Promise((resolve) => setImmediate(resolve))
    return settled.splice(0)
  }
  const answer = (attempt: number, index: number): void => {
    reads.takeReadStates([{ index, context: node.asked[attempt]! }])
  }
  return { clock, node, reads, read, seen, answer }
}

describe('LinearizableReads', () => {
  test('asks once for all that wait and releases them together', async () => {
    const { reads, node, read, seen, answer } = build()
    read('a')
    read('b')
    reads.pump()
    expect(node.asked.length).toBe(1)
    answer(0, 10)
    expect(await seen()).toEqual(['a', 'b'])
  })

  test('gives a read that arrives during a round a round of its own', async () => {
    const { reads, node, read, seen, answer } = build()
    read('a')
    reads.pump()
    read('b')
    reads.pump()
    expect(node.asked.length).toBe(1)
    answer(0, 10)
    expect(await seen()).toEqual(['a'])
    reads.pump()
    answer(1, 10)
    expect(await seen()).toEqual(['b'])
  })

  test('ends a read that joined during a round after its own time limit, not after two', async () => {
    const { clock, node, reads, read, seen } = build()
    node.hasLeader = false
    read('a')
    reads.pump()
    clock.advance(10)
    read('b')
    clock.advance(6_990)
    reads.sweep()
    expect(await seen()).toEqual(['a timeout'])
    clock.advance(10)
    reads.sweep()
    expect(await seen()).toEqual(['b timeout'])
  })

  test('waits until the confirmed index is applied', async () => {
    const { reads, node, read, seen, answer } = build()
    read('a')
    reads.pump()
    answer(0, 12)
    expect(await seen()).toEqual([])
    node.appliedIndex = 11
    reads.releaseApplied()
    expect(await seen()).toEqual([])
    node.appliedIndex = 12
    reads.releaseApplied()
    expect(await seen()).toEqual(['a'])
  })

  test('asks again with a fresh id, and any of the answers will do', async () => {
    const { clock, reads, node, read, seen, answer } = build()
    read('a')
    reads.pump()
    clock.advance(499)
    reads.sweep()
    expect(node.asked.length).toBe(1)
    clock.advance(1)
    reads.sweep()
    expect(node.asked.length).toBe(2)
    expect(node.asked[0]).not.toEqual(node.asked[1])
    answer(0, 10)
    expect(await seen()).toEqual(['a'])
  })

  test('takes no answer of an earlier round', async () => {
    const { reads, read, seen, answer } = build()
    read('a')
    reads.pump()
    answer(0, 10)
    read('b')
    reads.pump()
    answer(0, 10)
    expect(await seen()).toEqual(['a'])
  })

  test('fails the round when another leader appears before the answer', async () => {
    const { reads, read, seen, answer } = build()
    read('a')
    reads.pump()
    reads.noteNewLeader()
    answer(0, 10)
    expect(await seen()).toEqual(['a leaderChanged'])
  })

  test('keeps a confirmed round when another leader appears', async () => {
    const { reads, node, read, seen, answer } = build()
    read('a')
    reads.pump()
    answer(0, 11)
    reads.noteNewLeader()
    node.appliedIndex = 11
    reads.releaseApplied()
    expect(await seen()).toEqual(['a'])
  })

  test('puts the question to the first leader when nobody could be asked before', async () => {
    const { reads, node, read, seen, answer } = build()
    node.hasLeader = false
    read('a')
    reads.pump()
    node.hasLeader = true
    reads.noteNewLeader()
    reads.pump()
    answer(0, 10)
    expect(await seen()).toEqual(['a'])
  })

  test('asks again at once when a term begins', () => {
    const { reads, node, read } = build()
    read('a')
    reads.pump()
    reads.noteTermStart()
    reads.pump()
    expect(node.asked.length).toBe(2)
  })

  test('times out without an answer', async () => {
    const { clock, reads, read, seen } = build()
    read('a')
    reads.pump()
    clock.advance(7_000)
    reads.sweep()
    expect(await seen()).toEqual(['a timeout'])
  })

  test('ends a wait with its caller, and all of them at a stop', async () => {
    const { reads, read, seen } = build()
    const caller = new CancelSource()
    read('a', caller)
    read('b')
    reads.pump()
    read('c')
    caller.cancel()
    expect(await seen()).toEqual(['a contextCanceled'])
    reads.stop()
    read('d')
    expect(await seen()).toEqual(['b stopped', 'c stopped', 'd stopped'])
  })

  test('asks nobody when the node can tell alone', async () => {
    const { reads, node, read, seen } = build()
    expect(reads.isConfirmed()).toBe(false)
    node.indexAlone = 10
    expect(reads.isConfirmed()).toBe(true)
    node.indexAlone = 12
    expect(reads.isConfirmed()).toBe(false)
    read('a')
    reads.pump()
    expect(node.asked.length).toBe(0)
    expect(await seen()).toEqual([])
    node.appliedIndex = 12
    reads.releaseApplied()
    expect(await seen()).toEqual(['a'])
    reads.stop()
    expect(reads.isConfirmed()).toBe(false)
  })
})
