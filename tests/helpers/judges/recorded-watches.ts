/** Watches that remember every message, and go on at another member behind what they got when their stream is lost. */
import {
  WatchCreateRequest,
  WatchCreateRequest_FilterType,
  WatchRequest,
  WatchResponse,
} from '../../../src/core/proto/gen/rpc.ts'
import { RawGrpcClient, type RawCall } from '../raw-grpc.ts'
import type { ClientHistory, WatchRecord, WatchStream } from './client-history.ts'
import { nowUs } from './recording-client.ts'
import { plainEvent, revisionOf } from './wire-answers.ts'
import { neededAfter } from './watch-judge.ts'

/** What a watch asks for. Texts are latin-1. */
export interface WatchSpec extends Partial<Omit<WatchRecord, 'streams' | 'startKey'>> {
  readonly startKey: string
  /** 0: from now on. */
  readonly startRevision: number
}

interface Watching {
  readonly record: WatchRecord
  /** What the next stream begins with. */
  neededRevision: number
}

const streamWide = -1n
const pauseMs = 20

/** Some watches that share a stream. */
export class RecordedWatches {
  private readonly urls: readonly string[]
  private readonly watchings: readonly Watching[]
  private readonly running: Promise<void>
  private position: number
  private call: RawCall | undefined
  private byId = new Map<bigint, Watching>()
  private nextId = 1n
  private isStopped = false
  /** Streams so far. */
  streamCount = 0

  /** @param position  of the URL that they begin at */
  constructor(
    history: Pick<ClientHistory, 'watches'>,
    urls: readonly string[],
    { specs, position }: { readonly specs: readonly WatchSpec[]; readonly position: number },
  ) {
    this.urls = urls
    this.position = position
    this.watchings = specs.map(({ startRevision, ...spec }) => ({
      neededRevision: startRevision,
      record: {
        name: `${history.watches.length} of ${spec.startKey}..${spec.rangeEnd ?? ''} from ${startRevision}`,
        rangeEnd: '',
        isWithoutPuts: false,
        isWithoutDeletes: false,
        hasPrevious: false,
        ...spec,
        streams: [],
      },
    }))
    for (const { record } of this.watchings) history.watches.push(record)
    this.running = this.run()
  }

  /** Whether each watch was told, as the last thing, that it has got everything up to a revision. */
  hasReached(revision: number): boolean {
    return this.watchings.every(({ record, neededRevision }) => {
      // Of the future nothing is told, and nothing is promised.
      if (neededRevision > revision + 1) return true
      const last = record.streams.at(-1)?.messages.at(-1)
      return (
        last !== undefined &&
        last.revision >= revision &&
        last.events.length === 0 &&
        !last.isCreated &&
        !last.isCanceled
      )
    })
  }

  requestProgress(): void {
    this.send({ $case: 'progressRequest', value: {} })
  }

  async stop(): Promise<void> {
    this.isStopped = true
    this.call?.cancel()
    await this.running
  }

  private async run(): Promise<void> {
    while (!this.isStopped) {
      const client = new RawGrpcClient(this.urls[this.position++ % this.urls.length]!)
      await this.follow(client)
      client.close()
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  private async follow(client: RawGrpcClient): Promise<void> {
    this.streamCount++
    this.byId = new Map()
    this.call = client.open('/etcdserverpb.Watch/Watch')
    for (const watching of this.watchings) this.create(watching)
    for (;;) {
      const message = await this.call.next()
      if (message === undefined) break
      this.receive(WatchResponse.decode(message))
    }
    for (const watching of this.watchings) this.remember(watching)
  }

  private create(watching: Watching): void {
    const { record, neededRevision } = watching
    const id = this.nextId++
    this.byId.set(id, watching)
    const stream: WatchStream = {
      node: this.urls[(this.position - 1) % this.urls.length]!,
      startRevision: neededRevision,
      messages: [],
    }
    record.streams.push(stream)
    const filters = [
      ...(record.isWithoutPuts ? [WatchCreateRequest_FilterType.NOPUT] : []),
      ...(record.isWithoutDeletes ? [WatchCreateRequest_FilterType.NODELETE] : []),
    ]
    this.send({
      $case: 'createRequest',
      value: WatchCreateRequest.fromPartial({
        key: Buffer.from(record.startKey, 'latin1'),
        rangeEnd: Buffer.from(record.rangeEnd, 'latin1'),
        startRevision: BigInt(neededRevision),
        progressNotify: true,
        fragment: true,
        prevKv: record.hasPrevious,
        filters,
        watchId: id,
      }),
    })
  }

  private send(union: NonNullable<WatchRequest['requestUnion']>): void {
    this.call?.send(WatchRequest.encode(WatchRequest.fromPartial({ requestUnion: union })).finish())
  }

  private receive(response: WatchResponse): void {
    const concerned =
      response.watchId === streamWide ? [...this.byId.values()] : [this.byId.get(response.watchId)]
    for (const watching of concerned) {
      if (watching === undefined) throw new Error(`a message for watch ${response.watchId}`)
      watching.record.streams.at(-1)?.messages.push({
        atUs: nowUs(),
        isCreated: response.created,
        isCanceled: response.canceled,
        compactRevision: Number(response.compactRevision),
        isFragment: response.fragment,
        revision: revisionOf(response),
        events: response.events.map(plainEvent),
      })
    }
    const [ended] = concerned
    if (!response.canceled || ended === undefined) return
    this.byId.delete(response.watchId)
    if (response.compactRevision === 0n) return
    // What is gone is gone: it goes on where history begins now.
    ended.neededRevision = Number(response.compactRevision)
    this.create(ended)
  }

  private remember(watching: Watching): void {
    const stream = watching.record.streams.at(-1)
    watching.neededRevision =
      (stream === undefined ? undefined : neededAfter(stream)) ?? watching.neededRevision
  }
}
