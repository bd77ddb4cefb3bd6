import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clusterId, nodeId } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { namedRandom } from '../../../../src/core/base/random.ts'
import { isInRange, keyRangeOfWire } from '../../../../src/core/mvcc/key-range.ts'
import type { StoreNode } from '../../../../src/core/node/store-node.ts'
import {
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from '../../../../src/core/proto/gen/rpc.ts'
import { ResponseHeaders } from '../../../../src/core/rpc/response-header.ts'
import type { StreamCall } from '../../../../src/core/rpc/rpc-call.ts'
import { WatchStream } from '../../../../src/core/rpc/watch-stream.ts'
import { WatchStreams } from '../../../../src/core/rpc/watch-streams.ts'
import { WatchHub } from '../../../../src/core/watch/watch-hub.ts'
import { splitFrames } from '../../../helpers/raw-grpc.ts'
import {
  bytes,
  StoreModel,
  StoreUnderTest,
  type ModelChange,
  type Operation,
} from '../mvcc/store-model.ts'
import { TurnClock } from '../watch/turn-clock.ts'

const progressIntervalMs = 1_000
const fragmentSizeBytes = 120

/** A client's side of a stream: it reads what comes, or lets it wait. */
class Client {
  readonly sent: Uint8Array[] = []
  isSlow = false
  isReading = true
  private waiting: Uint8Array[] = []
  private onMessage: ((message: Uint8Array) => void) | undefined
  private drainListener: (() => void) | undefined
  private endListener: (() => void) | undefined

  /** What a stream needs of a call. One piece that waits is as good as a full queue. */
  get call(): StreamCall {
    const isFull = (): boolean => this.waiting.length > 0
    const call = {
      get queuedBytes(): number {
        return isFull() ? Number.MAX_SAFE_INTEGER : 0
      },
      hasEnded: false,
      read: (onMessage: (message: Uint8Array) => void) => {
        this.onMessage = onMessage
      },
      setReading: (isReading: boolean) => {
        this.isReading = isReading
      },
      send: (piece: Uint8Array) => {
        if (this.isSlow) this.waiting.push(piece)
        else this.sent.push(piece)
      },
      onDrain: (listener: () => void) => {
        this.drainListener = listener
      },
      onEnd: (listener: () => void) => {
        this.endListener = listener
      },
      end: () => undefined,
    }
    return call as unknown as StreamCall
  }

  request(union: NonNullable<WatchRequest['requestUnion']>): void {
    this.onMessage?.(WatchRequest.encode({ requestUnion: union }).finish())
  }

  drain(): void {
    this.isSlow = false
    if (this.waiting.length === 0) return
    this.sent.push(...this.waiting)
    this.waiting = []
    this.drainListener?.()
  }

  end(): void {
    this.endListener?.()
  }

  get answers(): WatchResponse[] {
    const { messages, rest } = splitFrames(Buffer.concat(this.sent))
    expect(rest.length).toBe(0)
    return messages.map((message) => WatchResponse.decode(message))
  }
}

class Bench {
  readonly clock = new TurnClock()
  readonly model = new StoreModel()
  readonly subject: StoreUnderTest
  readonly hub: WatchHub
  readonly streams: WatchStreams

  private constructor(subject: StoreUnderTest) {
    this.subject = subject
    this.hub = new WatchHub(subject.store, { clock: this.clock, logger: silentLogger })
    const { hub } = this
    const node = {
      auth: { isEnabled: false },
      watchHub: hub,
      get currentRevision(): number {
        return subject.store.currentRevision
      },
    } as unknown as StoreNode
    const headers = new ResponseHeaders({
      clusterId: clusterId(1n),
      memberId: nodeId(2n),
      raftTerm: 3,
    })
    this.streams = new WatchStreams(node, headers, {
      clock: this.clock,
      random: namedRandom(1, 'watch'),
      logger: silentLogger,
      progressIntervalMs,
      fragmentSizeBytes,
    })
  }

  static async make(): Promise<Bench> {
    return new Bench(await StoreUnderTest.make())
  }

  open(): Client {
    const client = new Client()
    new WatchStream(this.streams, client.call).open()
    return client
  }

  write(operations: readonly Operation[]): void {
    this.model.write(operations)
    const changes = this.subject.write(operations)
    if (changes !== undefined) this.hub.notify([changes])
  }
}

/** A watcher as a client sees it, read out of the answers to it. */
interface Seen {
  readonly wish: WatchCreateRequest
  readonly firstRevision: number
  readonly events: string[]
  /** No later event may be at or below it. */
  completeRevision: number
  fragmentRevision: number | undefined
  hasEnded: boolean
}

/** Checks the answers of one stream, one by one, against the history that the model keeps. */
class Judge {
  private readonly model: StoreModel
  private readonly wishes: WatchCreateRequest[]
  readonly seen = new Map<bigint, Seen>()
  counts = { events: 0, fragments: 0, progress: 0, compacted: 0 }

  constructor(model: StoreModel, wishes: readonly WatchCreateRequest[]) {
    this.model = model
    this.wishes = [...wishes]
  }

  judge(answers: readonly WatchResponse[]): void {
    for (const answer of answers) this.judgeOne(answer)
  }

  /** Everything up to this revision that the watcher wants has come, and nothing else. */
  expectComplete(seen: Seen, revision: number): void {
    expect(seen.fragmentRevision).toBeUndefined()
    expect(seen.events).toEqual(this.wanted(seen, revision).map(lineOf))
  }

  private judgeOne(answer: WatchResponse): void {
    const revision = Number(answer.header!.revision)
    if (answer.created) {
      const wish = this.wishes.shift()!
      const firstRevision = Number(wish.startRevision) || revision + 1
      expect(this.seen.get(answer.watchId)?.hasEnded ?? true).toBe(true)
      this.seen.set(answer.watchId, {
        wish,
        firstRevision,
        events: [],
        completeRevision: 0,
        fragmentRevision: undefined,
        hasEnded: false,
      })
      return
    }
    if (answer.watchId === -1n) {
      this.counts.progress++
      for (const seen of this.seen.values()) if (!seen.hasEnded) this.expectComplete(seen, revision)
      return
    }
    const seen = this.seen.get(answer.watchId)!
    if (answer.canceled) {
      if (answer.compactRevision > 0n) this.counts.compacted++
      // A watcher ended by compaction may be cancelled once more.
      seen.hasEnded = true
      return
    }
    expect(seen.hasEnded).toBe(false)
    if (answer.events.length === 0) {
      this.counts.progress++
      this.expectComplete(seen, revision)
      return
    }
    this.takeEvents(seen, answer)
  }

  private takeEvents(seen: Seen, answer: WatchResponse): void {
    const revision = Number(answer.header!.revision)
    if (seen.fragmentRevision !== undefined) expect(revision).toBe(seen.fragmentRevision)
    seen.fragmentRevision = answer.fragment ? revision : undefined
    if (answer.fragment) this.counts.fragments++
    for (const { type, kv, prevKv } of answer.events) {
      this.counts.events++
      const main = Number(kv!.modRevision)
      expect(main).toBeGreaterThan(seen.completeRevision)
      expect(main).toBeLessThanOrEqual(revision)
      const value = type === 1 ? undefined : kv!.value
      seen.events.push(lineOf({ main, key: kv!.key, value }))
      if (prevKv === undefined) continue
      expect(seen.wish.prevKv).toBe(true)
      const before = this.model.newest(kv!.key, main - 1)
      expect([...prevKv.value]).toEqual([...(before?.value ?? [])])
      expect(Number(prevKv.modRevision)).toBe(before?.main)
    }
    if (answer.fragment) return
    seen.completeRevision = revision
    this.expectComplete(seen, revision)
  }

  private wanted(seen: Seen, revision: number): ModelChange[] {
    const { wish, firstRevision } = seen
    const range = keyRangeOfWire(wish.key, wish.rangeEnd)
    return this.model.changes.filter(
      ({ main, key, value }) =>
        main >= firstRevision &&
        main <= revision &&
        isInRange(range, key) &&
        !wish.filters.includes(value === undefined ? 1 : 0),
    )
  }
}

function lineOf(change: Pick<ModelChange, 'main' | 'key' | 'value'>): string {
  const key = Buffer.from(change.key).toString()
  return change.value === undefined
    ? `${change.main} delete ${key}`
    : `${change.main} put ${key}=${Buffer.from(change.value).toString()}`
}

const key = fc.constantFrom('a', 'b', 'b1', 'c').map(bytes)
const write = fc.uniqueArray(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('put' as const),
        key,
        value: fc.constantFrom('', 'x', 'y'.repeat(40)).map(bytes),
      }),
    },
    {
      weight: 1,
      arbitrary: key.map((start) => ({
        kind: 'delete' as const,
        range: { start, end: undefined },
      })),
    },
  ),
  {
    minLength: 1,
    maxLength: 4,
    selector: (operation) =>
      Buffer.from(operation.kind === 'put' ? operation.key : operation.range.start).toString(),
  },
)
const client = fc.nat({ max: 2 })
const wish = fc.record({
  scope: fc.constantFrom(['a', ''], ['b', 'c'], ['a', '\0'], ['b', '']),
  back: fc.integer({ min: -2, max: 15 }),
  isFromNow: fc.boolean(),
  filters: fc.constantFrom<WatchCreateRequest['filters']>([], [], [0], [1]),
  prevKv: fc.boolean(),
  fragment: fc.boolean(),
  progressNotify: fc.boolean(),
})
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('write' as const), write }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('watch' as const), client, wish }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('slow' as const), client }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('drain' as const), client }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('progress' as const), client }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('cancel' as const), client, id: fc.nat({ max: 5 }) }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: 'turn' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'wait' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('compact' as const), back: fc.nat({ max: 4 }) }),
  },
)

describe('WatchStream beside a model', () => {
  test('each client reads its history whole and in order, and progress never promises what has not come', async () => {
    const total = { events: 0, fragments: 0, progress: 0, compacted: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
        const bench = await Bench.make()
        const clients = [bench.open(), bench.open(), bench.open()]
        const wishes: WatchCreateRequest[][] = [[], [], []]
        for (const step of steps) {
          if (step.kind === 'write') bench.write(step.write)
          else if (step.kind === 'turn') bench.clock.runTurn()
          else if (step.kind === 'wait') bench.clock.advance(progressIntervalMs * 1.2)
          else if (step.kind === 'compact') {
            const revision = bench.model.revision - step.back
            if (revision > bench.subject.store.compactedRevision) bench.subject.compact(revision)
          } else {
            const asked = clients[step.client]!
            if (step.kind === 'slow') asked.isSlow = true
            else if (step.kind === 'drain') asked.drain()
            // A stream that is full is not read.
            else if (!asked.isReading) continue
            else if (step.kind === 'progress') {
              asked.request({ $case: 'progressRequest', value: {} })
            } else if (step.kind === 'cancel') {
              asked.request({ $case: 'cancelRequest', value: { watchId: BigInt(step.id) } })
            } else {
              const { scope, back, isFromNow, ...others } = step.wish
              const value = WatchCreateRequest.create({
                ...others,
                key: bytes(scope[0]),
                rangeEnd: bytes(scope[1]),
                startRevision: BigInt(isFromNow ? 0 : Math.max(1, bench.model.revision - back)),
              })
              wishes[step.client]!.push(value)
              asked.request({ $case: 'createRequest', value })
            }
          }
        }
        for (const client of clients) client.drain()
        bench.clock.settle()
        clients.forEach((client, position) => {
          const judge = new Judge(bench.model, wishes[position]!)
          judge.judge(client.answers)
          for (const seen of judge.seen.values()) {
            if (!seen.hasEnded) judge.expectComplete(seen, bench.model.revision)
          }
          for (const name of ['events', 'fragments', 'progress', 'compacted'] as const) {
            total[name] += judge.counts[name]
          }
          client.end()
        })
        expect(bench.hub.watcherCount).toBe(0)
        expect(bench.streams.streamCount).toBe(0)
        expect(bench.clock.timerCount).toBeLessThanOrEqual(1)
      }),
      { numRuns: 250 },
    )
    // Runs in which nothing of this happened would prove little.
    expect(Math.min(...Object.values(total))).toBeGreaterThan(20)
  })
})

describe('WatchStream', () => {
  const create = (client: Client, fields: Partial<WatchCreateRequest>): void => {
    client.request({ $case: 'createRequest', value: WatchCreateRequest.create(fields) })
  }

  test('a thousand clients that resume at once on large values share what waits for them', async () => {
    const bench = await Bench.make()
    const value = Buffer.alloc(20_000, 'x')
    for (let number = 0; number < 100; number++) {
      bench.write([{ kind: 'put', key: bytes('a'), value }])
    }
    const clients = Array.from({ length: 1_000 }, () => bench.open())
    for (const client of clients) {
      client.isSlow = true
      create(client, { key: bytes('a'), startRevision: 1n, prevKv: true })
    }
    bench.clock.settle()
    for (const client of clients) client.drain()
    bench.clock.settle()
    const buffers = new Set<ArrayBufferLike>()
    let sizeBytes = 0
    for (const client of clients) {
      for (const piece of client.sent) {
        if (piece.length < 4_096) continue
        buffers.add(piece.buffer)
        sizeBytes += piece.length
      }
      expect(client.answers.reduce((count, { events }) => count + events.length, 0)).toBe(100)
    }
    // 4 GB went out of a few MB.
    expect(sizeBytes).toBeGreaterThan(3_900_000_000)
    expect([...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)).toBeLessThan(
      64_000_000,
    )
  })

  test('the more streams are open, the less may wait for each', async () => {
    const bench = await Bench.make()
    const one = bench.open()
    const whole = bench.streams.queueSizeBytesMax
    const many = Array.from({ length: 1_000 }, () => bench.open())
    expect(bench.streams.queueSizeBytesMax).toBeLessThan(whole / 10)
    for (const client of many) client.end()
    expect(bench.streams.queueSizeBytesMax).toBe(whole)
    one.end()
  })
})
