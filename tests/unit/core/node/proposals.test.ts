import { describe, expect, test } from 'vitest'
import { decodeEnvelope, type LoggedRequest } from '../../../../src/core/apply/request-envelope.ts'
import { CancelSource } from '../../../../src/core/base/cancellation.ts'
import { nodeId } from '../../../../src/core/base/ids.ts'
import type { StoreErrorCode } from '../../../../src/core/errors/error-table.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import { Proposals } from '../../../../src/core/node/proposals.ts'
import { RequestIds } from '../../../../src/core/node/request-ids.ts'
import { PutRequest } from '../../../../src/core/proto/gen/rpc.ts'
import { ManualClock } from './manual-clock.ts'

const put = (valueSize = 1): LoggedRequest => ({
  kind: 'put',
  request: PutRequest.fromPartial({ key: Uint8Array.of(97), value: new Uint8Array(valueSize) }),
})

function build(timeoutCode: StoreErrorCode = 'timeout') {
  const clock = new ManualClock()
  let wakeCount = 0
  const proposals = new Proposals(clock, new RequestIds(nodeId(0xabcdn), clock.wallMs()), {
    timeoutMs: 7_000,
    requestSizeBytesMax: 1_000,
    wake: () => wakeCount++,
    timeoutCode: () => timeoutCode,
  })
  const taken: Uint8Array[][] = []
  const take = (outcome: 'accepted' | 'noLeader' | 'transferring' = 'accepted'): void => {
    proposals.flush((data) => {
      if (outcome === 'accepted') taken.push([...data])
      return outcome
    })
  }
  return { clock, proposals, taken, take, wakes: () => wakeCount }
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof StoreError ? error.code : error),
  )

describe('Proposals', () => {
  test('proposes all that arrived together at once', () => {
    const { proposals, taken, take, wakes } = build()
    for (let count = 0; count < 5; count++) void proposals.submit(put())
    expect(wakes()).toBe(5)
    take()
    take()
    expect(taken.map((data) => data.length)).toEqual([5])
    const ids = taken[0]!.map((data) => decodeEnvelope(data).id)
    expect(new Set(ids).size).toBe(5)
    expect(ids.every((id) => id >> 48n === 0xabcdn)).toBe(true)
  })

  test('hands each answer to the one who asked', async () => {
    const { proposals, taken, take } = build()
    const answers = [proposals.submit(put()), codeOf(proposals.submit(put()))]
    take()
    const [first, second] = taken[0]!.map((data) => decodeEnvelope(data).id)
    const result = { kind: 'put', previous: undefined, revision: 5 } as const
    proposals.settle([
      { id: second!, outcome: new StoreError('leaseNotFound') },
      { id: first!, outcome: result },
      { id: first!, outcome: result },
    ])
    expect(await Promise.all(answers)).toEqual([result, 'leaseNotFound'])
    expect(proposals.waitingCount).toBe(0)
  })

  test('keeps requests until somebody leads', () => {
    const { proposals, taken, take } = build()
    void proposals.submit(put())
    take('noLeader')
    take('transferring')
    expect(taken).toEqual([])
    take()
    expect(taken.length).toBe(1)
  })

  test('ends a wait with the cause after the time-out, and not before', async () => {
    const { clock, proposals, take } = build('timeoutDueToLeaderFail')
    const answer = codeOf(proposals.submit(put()))
    take()
    clock.advance(6_999)
    proposals.sweep()
    expect(proposals.waitingCount).toBe(1)
    clock.advance(1)
    proposals.sweep()
    expect(await answer).toBe('timeoutDueToLeaderFail')
  })

  test('says deadline exceeded when Raft never took the request, and never proposes it later', async () => {
    const { clock, proposals, taken, take } = build()
    const answer = codeOf(proposals.submit(put()))
    take('noLeader')
    clock.advance(7_000)
    proposals.sweep()
    expect(await answer).toBe('contextDeadlineExceeded')
    take()
    expect(taken).toEqual([])
  })

  test('stops waiting when the caller does', async () => {
    const { proposals, taken, take } = build()
    const caller = new CancelSource()
    const answer = codeOf(proposals.submit(put(), caller))
    caller.cancel()
    expect(await answer).toBe('canceled')
    take()
    expect(taken).toEqual([])
    expect(await codeOf(proposals.submit(put(), caller))).toBe('canceled')
  })

  test('refuses what is too large without proposing it', async () => {
    const { proposals, taken, take } = build()
    expect(await codeOf(proposals.submit(put(1_000)))).toBe('requestTooLarge')
    take()
    expect(taken).toEqual([])
  })

  test('is bounded', async () => {
    const { proposals } = build()
    for (let count = 0; count < 20_000; count++) void codeOf(proposals.submit(put()))
    expect(await codeOf(proposals.submit(put()))).toBe('tooManyRequests')
  })

  test('fails all waits at a stop, and every later one', async () => {
    const { proposals, take } = build()
    const answers = [codeOf(proposals.submit(put()))]
    take()
    answers.push(codeOf(proposals.submit(put())))
    proposals.stop()
    answers.push(codeOf(proposals.submit(put())))
    expect(await Promise.all(answers)).toEqual(['stopped', 'stopped', 'stopped'])
  })
})
