import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { EndpointPool } from '../../../../src/core/client/endpoint-pool.ts'
import { WatchClient, type WatchListener } from '../../../../src/core/client/watch-client.ts'
import { systemClock } from '../../../../src/core/io/system-clock.ts'
import { systemRandom } from '../../../../src/core/io/system-random.ts'
import { Event_EventType } from '../../../../src/core/proto/gen/kv.ts'
import type { WatchRequest, WatchResponse } from '../../../../src/core/proto/gen/rpc.ts'

const resourceExhausted = 8
const smallChangesMin = 4_096

/** A stream of the server's, driven by the test. */
class ServerStream extends EventEmitter {
  isOver = false
  isFragmented: boolean | undefined
  startRevision = 0

  write({ requestUnion }: WatchRequest): void {
    if (requestUnion?.$case !== 'createRequest') return
    this.isFragmented = requestUnion.value.fragment
    this.startRevision = Number(requestUnion.value.startRevision)
    this.answer({ created: true })
  }

  cancel(): void {
    this.isOver = true
  }

  answer(parts: Partial<WatchResponse>): void {
    const response: WatchResponse = {
      ...{ header: { clusterId: 1n, memberId: 1n, revision: 10_000n, raftTerm: 1n } },
      ...{ watchId: 0n, created: false, canceled: false, compactRevision: 0n, cancelReason: '' },
      ...{ fragment: false, events: [] },
      ...parts,
    }
    this.emit('data', response)
  }

  /** Changes `[from, to)`, one of each revision. */
  tell(from: number, to: number, fragment: boolean): void {
    const none = new Uint8Array(0)
    const events = Array.from({ length: to - from }, (_, at) => {
      const revision = BigInt(from + at)
      const revisions = { createRevision: revision, modRevision: revision, version: 1n }
      const kv = { key: Uint8Array.of(1), value: none, lease: 0n, ...revisions }
      return { type: Event_EventType.PUT, kv, prevKv: undefined }
    })
    this.answer({ fragment, events })
  }
}

function watchWorld() {
  const streams: ServerStream[] = []
  const told: string[] = []
  const revisions: number[] = []
  const endpoint = {
    url: 'http://server:1',
    channelState: () => 'ready',
    streamToken: () => Promise.resolve({ ok: true, token: undefined }),
    openStream: () => {
      const stream = new ServerStream()
      streams.push(stream)
      return stream
    },
  }
  const nothing = (): void => undefined
  const pool = {
    active: () => endpoint,
    ...{ markReady: nothing, markFailed: nothing, moveOnFrom: nothing },
  } as unknown as EndpointPool
  const listener: WatchListener = {
    onStarted: ({ isResumed }) => told.push(isResumed ? 'resumed' : 'started'),
    onEvents: (events) => revisions.push(...events.map(({ pair }) => pair.modRevision)),
    onProgress: nothing,
    onInterrupted: () => told.push('interrupted'),
    onGap: () => told.push('gap'),
    onRefused: () => told.push('refused'),
  }
  const client = new WatchClient({ clock: systemClock, random: systemRandom, pool })
  const watch = client.open(
    { interval: { start: Uint8Array.of(1) }, startRevision: 1, needsPrevious: false },
    listener,
  )
  /** The stream under way, once the watch was asked for on it. */
  const stream = async (count: number): Promise<ServerStream> => {
    await expect
      .poll(() => streams.filter((one) => one.isFragmented !== undefined))
      .toHaveLength(count)
    return streams[count - 1] ?? new ServerStream()
  }
  return { watch, told, revisions, stream }
}

test('goes on without fragments behind one of small changes, and with them behind a message that is too large', async () => {
  const { watch, told, revisions, stream } = watchWorld()
  const first = await stream(1)
  expect(first).toMatchObject({ isFragmented: true, startRevision: 1 })
  first.tell(1, smallChangesMin + 1, true)
  // The last revision of a fragment may go on in the next one.
  const second = await stream(2)
  expect(first.isOver).toBe(true)
  expect(second).toMatchObject({ isFragmented: false, startRevision: smallChangesMin })
  second.tell(smallChangesMin, 5_000, false)
  second.emit(
    'error',
    Object.assign(new Error('too large'), { code: resourceExhausted, details: 'too large' }),
  )
  const third = await stream(3)
  expect(third).toMatchObject({ isFragmented: true, startRevision: 5_000 })
  third.tell(5_000, 10_000, true)
  third.tell(10_000, 10_001, false)
  expect(third.isOver).toBe(false)
  expect(revisions).toEqual(Array.from({ length: 10_000 }, (_, at) => at + 1))
  expect(told).toEqual(['started'])
  watch.dispose()
})

test('stays with fragments of large changes', async () => {
  const { watch, told, revisions, stream } = watchWorld()
  const only = await stream(1)
  only.tell(1, 100, true)
  only.tell(100, 200, false)
  expect(only.isOver).toBe(false)
  expect(revisions).toHaveLength(199)
  expect(told).toEqual(['started'])
  watch.dispose()
})
