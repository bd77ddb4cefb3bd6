import { beforeEach, describe, expect, test } from 'vitest'
import { clusterId, leaseId, nodeId } from '../../../../src/core/base/ids.ts'
import type { Change } from '../../../../src/core/mvcc/change.ts'
import {
  deletedKeyValue,
  storeKeyValue,
  type StoredKeyValue,
} from '../../../../src/core/mvcc/stored-key-value.ts'
import { WatchResponse } from '../../../../src/core/proto/gen/rpc.ts'
import { ResponseHeaders } from '../../../../src/core/rpc/response-header.ts'
import type { StreamCall } from '../../../../src/core/rpc/rpc-call.ts'
import { WatchDelivery } from '../../../../src/core/rpc/watch-delivery.ts'
import { watchIdOf } from '../../../../src/core/rpc/watch-encoding.ts'
import { EventBatch } from '../../../../src/core/watch/event-batch.ts'
import { splitFrames } from '../../../helpers/raw-grpc.ts'

const headers = new ResponseHeaders({
  clusterId: clusterId(7n),
  memberId: nodeId(0xffff_ffff_ffff_ffffn),
  raftTerm: 300,
})

function pair(key: string, value: string, modRevision: number): StoredKeyValue {
  return storeKeyValue({
    key: Buffer.from(key),
    value: Buffer.from(value),
    createRevision: 2,
    modRevision,
    version: 3,
    lease: leaseId(0x7000_0000_0000_0001n),
  })
}

const put = (key: string, value: string, revision: number): Change => ({
  kind: 'put',
  keyValue: pair(key, value, revision),
  sub: 0,
})
const remove = (key: string, revision: number): Change => ({
  kind: 'delete',
  keyValue: deletedKeyValue(Buffer.from(key), revision),
  sub: 1,
})

/** A stream that keeps what is sent on it. */
class KeptCall {
  readonly pieces: Uint8Array[] = []
  send(frame: Uint8Array): void {
    this.pieces.push(frame)
  }
  get answers(): WatchResponse[] {
    const { messages, rest } = splitFrames(Buffer.concat(this.pieces))
    expect(rest.length).toBe(0)
    return messages.map((message) => WatchResponse.decode(message))
  }
  get lines(): string[] {
    return this.answers.map(
      ({ watchId, header, events, fragment }) =>
        `${watchId} at ${header?.revision}: ${events
          .map(
            ({ type, kv, prevKv }) =>
              `${type === 1 ? 'delete' : 'put'} ${Buffer.from(kv!.key).toString()}` +
              (prevKv === undefined ? '' : ` before ${Buffer.from(prevKv.value).toString()}`),
          )
          .join(', ')}${fragment ? ' ...' : ''}`,
    )
  }
}

const asCall = (call: KeptCall): StreamCall => call as unknown as StreamCall

describe('WatchDelivery', () => {
  let previousCount = 0
  let delivery: WatchDelivery

  beforeEach(() => {
    previousCount = 0
    delivery = new WatchDelivery(headers, (change) => {
      previousCount++
      return change.kind === 'put' ? pair('old', 'before', 6) : undefined
    })
  })

  const to = (
    call: KeptCall,
    watchId: number | bigint,
    hasPrevious = false,
  ): { call: StreamCall; watchId: number | bigint; hasPrevious: boolean } => ({
    call: asCall(call),
    watchId,
    hasPrevious,
  })

  test('events are read back as they were, with the pair before where it was asked for', () => {
    const batch = new EventBatch([put('a', '1', 7), remove('b', 7)], 0, 9)
    const call = new KeptCall()
    delivery.add(to(call, 0), batch)
    delivery.add(to(call, 300, true), batch)
    delivery.endRound()
    expect(call.lines).toEqual([
      '0 at 9: put a, delete b',
      '300 at 9: put a before before, delete b',
    ])
    expect(call.answers[0]).toMatchObject({
      header: { clusterId: 7n, memberId: 0xffff_ffff_ffff_ffffn, raftTerm: 300n },
      created: false,
      canceled: false,
    })
  })

  test('every id that a client may choose is told as it is', () => {
    const ids = [0n, 1n, 127n, 128n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -1n, -7n]
    const batch = new EventBatch([put('a', '1', 7)], 0, 7)
    const call = new KeptCall()
    for (const id of ids) delivery.add(to(call, watchIdOf(id)), batch)
    delivery.endRound()
    expect(call.answers.map(({ watchId }) => watchId)).toEqual(ids)
  })

  test('answers that follow one another on a stream become one piece, and go nowhere before the end', () => {
    const batch = new EventBatch([put('a', '1', 7)], 0, 7)
    const call = new KeptCall()
    for (let id = 0; id < 100; id++) delivery.add(to(call, id), batch)
    expect(call.pieces.length).toBe(0)
    delivery.endRound()
    expect(call.pieces.length).toBe(1)
    expect(call.answers.map(({ watchId }) => Number(watchId))).toEqual([...Array(100).keys()])
  })

  test('streams whose watchers have the same ids share their bytes, others do not', () => {
    const batch = new EventBatch([put('a', '1', 7)], 0, 7)
    const calls = [new KeptCall(), new KeptCall(), new KeptCall(), new KeptCall()] as const
    const ids = [
      [0, 1],
      [0, 1],
      [0, 2],
      [0, 2, 3],
    ] as const
    calls.forEach((call, position) => {
      for (const id of ids[position]!) delivery.add(to(call, id), batch)
    })
    delivery.endRound()
    expect(calls[1].pieces[0]).toBe(calls[0].pieces[0])
    expect(calls.map(({ answers }) => answers.map(({ watchId }) => Number(watchId)))).toEqual(ids)
  })

  test('streams taking turns get what is theirs, in order', () => {
    const first = new EventBatch([put('a', '1', 7)], 0, 7)
    const second = new EventBatch([put('b', '2', 8)], 0, 8)
    const calls = [new KeptCall(), new KeptCall()] as const
    for (const batch of [first, second]) {
      for (const id of [0, 1]) for (const call of calls) delivery.add(to(call, id), batch)
    }
    delivery.endRound()
    for (const call of calls) {
      expect(call.lines).toEqual([
        '0 at 7: put a',
        '1 at 7: put a',
        '0 at 8: put b',
        '1 at 8: put b',
      ])
    }
  })

  test('large events are handed to every watcher without a copy', () => {
    const batch = new EventBatch([put('a', 'x'.repeat(10_000), 7)], 0, 7)
    const calls = [new KeptCall(), new KeptCall()] as const
    for (const call of calls) for (const id of [1, 2]) delivery.add(to(call, id), batch)
    delivery.endRound()
    const large = calls.flatMap(({ pieces }) => pieces.filter(({ length }) => length > 1_000))
    expect(large.length).toBe(4)
    expect(new Set(large).size).toBe(1)
    for (const call of calls) expect(call.lines).toEqual(['1 at 7: put a', '2 at 7: put a'])
  })

  test('who has seen a part gets the rest, out of the same encoding', () => {
    const source = [put('a', 'x'.repeat(5_000), 7), put('b', 'y'.repeat(5_000), 8)]
    const call = new KeptCall()
    delivery.add(to(call, 1, true), new EventBatch(source, 0, 9))
    delivery.add(to(call, 2, true), new EventBatch(source, 1, 9))
    delivery.endRound()
    expect(call.lines).toEqual([
      '1 at 9: put a before before, put b before before',
      '2 at 9: put b before before',
    ])
    expect(previousCount).toBe(2)
    const [whole, rest] = call.pieces.filter(({ length }) => length > 1_000)
    expect(rest!.buffer).toBe(whole!.buffer)
  })

  test('the pair before is looked up once per event, however many want it', () => {
    const batch = new EventBatch([put('a', '1', 7), put('b', '2', 7)], 0, 7)
    const call = new KeptCall()
    for (let id = 0; id < 50; id++) delivery.add(to(call, id, true), batch)
    delivery.endRound()
    expect(previousCount).toBe(2)
  })

  test('fragments stay below the limit, hold every event once, and all but the last are marked', () => {
    const many = Array.from({ length: 50 }, (_, position) =>
      put(`key${position}`, 'x'.repeat(100), position + 2),
    )
    for (const start of [0, 17]) {
      const call = new KeptCall()
      delivery.addDivided(to(call, 4), new EventBatch(many, start, 60), 1_000)
      delivery.endRound()
      const { messages } = splitFrames(Buffer.concat(call.pieces))
      expect(messages.length).toBeGreaterThan(4)
      for (const message of messages) expect(message.length).toBeLessThan(1_000)
      const marks = call.answers.map(({ fragment }) => fragment)
      expect(marks).toEqual([...marks.slice(1).map(() => true), false])
      expect(
        call.answers.flatMap(({ events }) =>
          events.map(({ kv }) => Buffer.from(kv!.key).toString()),
        ),
      ).toEqual(Array.from({ length: 50 - start }, (_, position) => `key${start + position}`))
    }
  })

  test('an answer below the limit, or of one event, is left whole', () => {
    const call = new KeptCall()
    delivery.addDivided(
      to(call, 4),
      new EventBatch([put('a', '1', 7), remove('b', 7)], 0, 7),
      1_000,
    )
    delivery.addDivided(to(call, 4), new EventBatch([put('c', '1', 8)], 0, 8), 10)
    delivery.endRound()
    expect(call.lines).toEqual(['4 at 7: put a, delete b', '4 at 8: put c'])
  })
})
