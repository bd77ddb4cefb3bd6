/** Writers and watchers that use everything at once, on few keys, and remember it all for the judges. */
import { seededRandom, type Random } from '../../../src/core/base/random.ts'
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
} from '../../../src/core/proto/gen/rpc.ts'
import type { PlainAnswer } from '../../simulation/harness/store-model.ts'
import type { ClientHistory } from './client-history.ts'
import { RecordedWatches, type WatchSpec } from './recorded-watches.ts'
import { emptyHistory, RecordingClient } from './recording-client.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const keyCount = 10
const pauseMs = 4
const compactionPeriodMs = 1_000
/** Revisions that a compaction leaves. */
const keptRevisionCount = 400

export interface LoadOptions {
  readonly urls: readonly string[]
  readonly writerCount: number
  readonly seed: number
  readonly isCompacting?: boolean
}

/** A load from its start to the end, when its history can be judged. */
export class MixedLoad {
  readonly history: ClientHistory = emptyHistory()
  private readonly options: LoadOptions
  private readonly clients: RecordingClient[] = []
  private readonly watches: RecordedWatches[] = []
  private readonly running: Promise<void>[] = []
  private readonly progressTimer: NodeJS.Timeout
  private isStopped = false
  private writtenCount = 0
  /** The newest revision that any answer showed. */
  newestRevision = 0
  acknowledgedCount = 0

  constructor(options: LoadOptions) {
    this.options = options
    this.watchAll()
    this.progressTimer = setInterval(() => {
      for (const watches of this.watches) watches.requestProgress()
    }, 300)
    for (let number = 0; number < options.writerCount; number++)
      this.running.push(this.write(this.client(), seededRandom(options.seed + number)))
    if (options.isCompacting !== false) this.running.push(this.compact(this.client()))
  }

  /** Begins more watches on a stream of their own. */
  watch(...specs: readonly WatchSpec[]): void {
    const { urls } = this.options
    this.watches.push(
      new RecordedWatches(this.history, urls, { specs, position: this.watches.length }),
    )
  }

  /** Ends the writers, waits until every watch has told everything, and ends the watches. */
  async stop(): Promise<void> {
    this.isStopped = true
    await Promise.all(this.running)
    const last = this.client()
    const answer = await untilDefined('a last read', () => last.range({ key: bytes('\0') }))
    const revision = revisionIn(answer)
    await untilDefined(`every watch at ${revision}`, () => {
      for (const watches of this.watches)
        if (!watches.hasReached(revision)) watches.requestProgress()
      return Promise.resolve(this.watches.every((each) => each.hasReached(revision)) || undefined)
    })
    this.dispose()
    await Promise.all(this.watches.map((each) => each.stop()))
  }

  /** Ends everything at once. */
  dispose(): void {
    this.isStopped = true
    clearInterval(this.progressTimer)
    for (const client of this.clients) client.close()
    for (const watches of this.watches) void watches.stop()
  }

  /** Waits until so many more operations than now were acknowledged. */
  async waitForMore(count: number): Promise<void> {
    const before = this.acknowledgedCount
    await untilDefined(`${count} more acknowledged operations`, () =>
      Promise.resolve(this.acknowledgedCount >= before + count || undefined),
    )
  }

  private watchAll(): void {
    const all = { startKey: '\0', rangeEnd: '\0', hasPrevious: true, startRevision: 1 }
    this.options.urls.forEach(() => {
      this.watch(all)
    })
    this.watch(
      { startKey: 'k3', startRevision: 1, hasPrevious: true },
      { startKey: 'k2', rangeEnd: 'k6', startRevision: 0 },
      { ...all, isWithoutPuts: true },
      { ...all, isWithoutDeletes: true, hasPrevious: false },
    )
    // On a stream of its own: while a watch waits for the future, servers promise nothing for any watch of its stream.
    this.watch({ ...all, startRevision: 1_000_000_000 })
    this.watch({ ...all, startRevision: 300 })
  }

  private client(): RecordingClient {
    const client = new RecordingClient(this.history, this.options.urls, this.clients.length)
    this.clients.push(client)
    return client
  }

  private async write(client: RecordingClient, random: Random): Promise<void> {
    const known = new Map<string, number>()
    while (!this.isStopped) {
      const answer = await this.act(client, random, known)
      if (answer !== undefined) {
        this.acknowledgedCount++
        this.newestRevision = Math.max(this.newestRevision, revisionIn(answer))
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  private act(
    client: RecordingClient,
    random: Random,
    known: Map<string, number>,
  ): Promise<PlainAnswer | undefined> {
    const key = `k${random.below(keyCount)}`
    const other = `k${random.below(keyCount)}`
    const draw = random.below(100)
    if (draw < 25)
      return client.put({ key: bytes(key), value: this.value(client), prevKv: draw < 5 })
    if (draw < 50) return this.compareAndSwap(client, key, known)
    if (draw < 65) return this.several(client, [key, other])
    if (draw < 73) return client.deleteRange({ key: bytes(key), prevKv: draw < 70 })
    if (draw < 75)
      return client.deleteRange({ key: bytes('own/'), rangeEnd: bytes(`own/${client.number}/5`) })
    if (draw < 80) return this.lease(client, random)
    if (draw < 90) return client.range({ key: bytes('k'), rangeEnd: bytes('l') })
    if (draw < 93) return client.range({ key: bytes(key), serializable: true })
    return this.readBack(client, random)
  }

  /** A value that is written once. */
  private value(client: RecordingClient): Uint8Array {
    return bytes(`v${client.number}.${this.writtenCount++}${'-'.repeat(this.writtenCount % 200)}`)
  }

  private async compareAndSwap(
    client: RecordingClient,
    key: string,
    known: Map<string, number>,
  ): Promise<PlainAnswer | undefined> {
    const answer = await client.txn({
      compare: [
        Compare.fromPartial({
          key: bytes(key),
          result: Compare_CompareResult.EQUAL,
          target: Compare_CompareTarget.MOD,
          targetUnion: { $case: 'modRevision', value: BigInt(known.get(key) ?? 0) },
        }),
      ],
      success: [putOf({ key: bytes(key), value: this.value(client) })],
      failure: [rangeOf({ key: bytes(key) })],
    })
    if (answer?.kind !== 'txn') return answer
    const [nested] = answer.answers
    if (nested?.kind === 'range') known.set(key, nested.pairs[0]?.mod ?? 0)
    else known.set(key, answer.revision)
    return answer
  }

  private several(
    client: RecordingClient,
    [first, second]: readonly [string, string],
  ): Promise<PlainAnswer | undefined> {
    const own = `own/${client.number}/${this.writtenCount % 10}`
    return client.txn({
      success: [
        putOf({ key: bytes(own), value: this.value(client), prevKv: true }),
        rangeOf({ key: bytes('k'), rangeEnd: bytes('l'), countOnly: true }),
        putOf({ key: bytes(first), value: this.value(client) }),
        ...(first === second ? [] : [deleteOf({ key: bytes(second), prevKv: true })]),
        rangeOf({ key: bytes('k'), rangeEnd: bytes('l'), limit: 3n }),
      ],
    })
  }

  /** A key under a lease, which is revoked, or left to end by itself. */
  private async lease(client: RecordingClient, random: Random): Promise<PlainAnswer | undefined> {
    const lease = await client.grant(1 + random.below(3))
    if (lease === undefined) return undefined
    const answer = await client.put({
      key: bytes(`own/${client.number}/leased`),
      value: this.value(client),
      lease,
    })
    if (random.below(2) === 0) await client.revoke(lease)
    return answer
  }

  /** A page of the past. */
  private readBack(client: RecordingClient, random: Random): Promise<PlainAnswer | undefined> {
    const revision = Math.max(1, this.newestRevision - random.below(keptRevisionCount * 2))
    return client.range({
      key: bytes('k'),
      rangeEnd: bytes('z'),
      revision: BigInt(revision),
      limit: BigInt(random.below(5)),
      keysOnly: random.below(2) === 0,
    })
  }

  private async compact(client: RecordingClient): Promise<void> {
    let elapsedMs = 0
    while (!this.isStopped) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      elapsedMs += 100
      const revision = this.newestRevision - keptRevisionCount
      if (elapsedMs % compactionPeriodMs === 0 && revision > 1) await client.compact(revision)
    }
  }
}

/** Asks until there is an answer, for a minute. */
export async function untilDefined<Result>(
  what: string,
  ask: () => Promise<Result | undefined>,
): Promise<Result> {
  const endMs = performance.now() + 60_000
  for (;;) {
    const result = await ask()
    if (result !== undefined) return result
    if (performance.now() > endMs) throw new Error(`not within a minute: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function revisionIn(answer: PlainAnswer): number {
  return 'revision' in answer ? answer.revision : 0
}

function putOf(fields: Partial<PutRequest>): RequestOp {
  return { request: { $case: 'requestPut', value: PutRequest.fromPartial(fields) } }
}

function rangeOf(fields: Partial<RangeRequest>): RequestOp {
  return { request: { $case: 'requestRange', value: RangeRequest.fromPartial(fields) } }
}

function deleteOf(fields: Partial<DeleteRangeRequest>): RequestOp {
  return { request: { $case: 'requestDeleteRange', value: DeleteRangeRequest.fromPartial(fields) } }
}
