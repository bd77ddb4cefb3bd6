/**
 * What an API server of Kubernetes does with etcd: objects under prefixes, changed by transactions on their mod revision,
 * listed page by page at one revision, watched from the revision of a list, events under leases, compaction by one of many.
 */
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
  type RequestOp,
  type TxnResponse,
} from '../../src/core/proto/gen/rpc.ts'
import { plainEvent, plainRange, revisionOf } from './judges/wire-answers.ts'
import type { WatchedEvent } from '../simulation/harness/history.ts'
import type { PlainPair } from '../simulation/harness/store-model.ts'
import { RawGrpcClient, type RawCall } from './raw-grpc.ts'
import { RpcClient } from './rpc-client.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
/** The end of all keys that begin with a prefix that ends in a slash. */
const endOf = (prefix: string): Uint8Array => bytes(`${prefix.slice(0, -1)}0`)
const compactKey = 'compact_rev_key'

/** The objects of a prefix as they were at one revision. */
export interface ObjectList {
  readonly prefix: string
  readonly revision: number
  readonly pairs: readonly PlainPair[]
  readonly pageCount: number
}

/** One API server's access to one member. */
export class KubernetesStore {
  private readonly url: string
  private readonly rpc: RpcClient
  private readonly watches: ObjectWatch[] = []

  constructor(url: string) {
    this.url = url
    this.rpc = new RpcClient(url)
  }

  /** Creates an object; whether it was not there. */
  async create(key: string, value: string, lease = 0n): Promise<boolean> {
    const put = PutRequest.fromPartial({ key: bytes(key), value: bytes(value), lease })
    const { succeeded } = await this.onRevision(key, 0, {
      success: { request: { $case: 'requestPut', value: put } },
    })
    return succeeded
  }

  /** Changes an object however often others come between. Undefined where it is gone; else how often it had to try. */
  async guaranteedUpdate(
    key: string,
    change: (value: string) => string,
  ): Promise<number | undefined> {
    let current: PlainPair | undefined = await this.get(key)
    for (let attempts = 1; current !== undefined; attempts++) {
      const value = bytes(change(current.value))
      const put = PutRequest.fromPartial({ key: bytes(key), value })
      const answer = await this.onRevision(key, current.mod, {
        success: { request: { $case: 'requestPut', value: put } },
        failure: rangeOperation(key),
      })
      if (answer.succeeded) return attempts
      current = readIn(answer)
    }
    return undefined
  }

  /** Deletes an object as it is now; undefined where it is gone already. */
  async delete(key: string): Promise<PlainPair | undefined> {
    let current = await this.get(key)
    while (current !== undefined) {
      const remove = DeleteRangeRequest.fromPartial({ key: bytes(key) })
      const answer = await this.onRevision(key, current.mod, {
        success: { request: { $case: 'requestDeleteRange', value: remove } },
        failure: rangeOperation(key),
      })
      if (answer.succeeded) return current
      current = readIn(answer)
    }
    return undefined
  }

  async get(key: string): Promise<PlainPair | undefined> {
    return plainRange(await this.rpc.must('range', { key: bytes(key) })).pairs[0]
  }

  /** All objects of a prefix, a page at a time, at the revision of the first page. */
  async list(prefix: string, pageSize: number): Promise<ObjectList> {
    const pairs: PlainPair[] = []
    let [start, revision, pageCount] = [prefix, 0, 0]
    for (;;) {
      const page = plainRange(
        await this.rpc.must('range', {
          key: bytes(start),
          rangeEnd: endOf(prefix),
          limit: BigInt(pageSize),
          revision: BigInt(revision),
        }),
      )
      if (revision === 0) revision = page.revision
      pairs.push(...page.pairs)
      pageCount++
      const last = page.pairs.at(-1)
      if (!page.hasMore || last === undefined) return { prefix, revision, pairs, pageCount }
      if (page.count <= page.pairs.length) throw new Error('more, and nothing behind the page')
      start = `${last.key}\0`
    }
  }

  /** The code and text of the answer to the second page of a list that is as old as a revision. */
  async continueAt(prefix: string, revision: number): Promise<{ code: number; text: string }> {
    const { code, text } = await this.rpc.call('range', {
      key: bytes(`${prefix}\0`),
      rangeEnd: endOf(prefix),
      limit: 5n,
      revision: BigInt(revision),
    })
    return { code, text }
  }

  /** The revision of the cluster, by the read that API servers use for it. */
  async currentRevision(): Promise<number> {
    const request = { key: bytes('/registry/'), limit: 1n, countOnly: true }
    return revisionOf(await this.rpc.must('range', request))
  }

  async grantLease(ttlSeconds: number): Promise<bigint> {
    return (await this.rpc.must('leaseGrant', { TTL: BigInt(ttlSeconds) })).ID
  }

  /** Watches a prefix from behind a list on. */
  watch(list: ObjectList): ObjectWatch {
    const watch = new ObjectWatch(this.url, list)
    this.watches.push(watch)
    return watch
  }

  /**
   * What a compactor does every few minutes: of those that know the same version of the key one is let through, and compacts
   * to the revision of its last turn.
   */
  async compact(turn: { readonly version: number; readonly revision: number }): Promise<{
    readonly version: number
    readonly revision: number
    readonly hasCompacted: boolean
  }> {
    const value = bytes(String(turn.revision))
    const answer = await this.rpc.must('txn', {
      compare: [
        Compare.fromPartial({
          key: bytes(compactKey),
          result: Compare_CompareResult.EQUAL,
          target: Compare_CompareTarget.VERSION,
          targetUnion: { $case: 'version', value: BigInt(turn.version) },
        }),
      ],
      success: [
        {
          request: {
            $case: 'requestPut',
            value: PutRequest.fromPartial({ key: bytes(compactKey), value }),
          },
        },
      ],
      failure: [rangeOperation(compactKey)],
    })
    const revision = revisionOf(answer)
    if (!answer.succeeded) {
      return { version: readIn(answer)?.version ?? 0, revision, hasCompacted: false }
    }
    if (turn.revision > 0) await this.rpc.must('compact', { revision: BigInt(turn.revision) })
    return { version: turn.version + 1, revision, hasCompacted: turn.revision > 0 }
  }

  close(): void {
    for (const watch of this.watches) watch.close()
    this.rpc.close()
  }

  private onRevision(
    key: string,
    modRevision: number,
    then: { readonly success: RequestOp; readonly failure?: RequestOp },
  ): Promise<TxnResponse> {
    return this.rpc.must('txn', {
      compare: [
        Compare.fromPartial({
          key: bytes(key),
          result: Compare_CompareResult.EQUAL,
          target: Compare_CompareTarget.MOD,
          targetUnion: { $case: 'modRevision', value: BigInt(modRevision) },
        }),
      ],
      success: [then.success],
      failure: then.failure === undefined ? [] : [then.failure],
    })
  }
}

/** A cache that a list began and a watch keeps. */
export class ObjectWatch {
  readonly list: ObjectList
  readonly events: WatchedEvent[] = []
  /** Everything up to here was told. */
  progressRevision = 0
  /** Set when the server ended it because its revisions are compacted. */
  compactRevision = 0
  private readonly client: RawGrpcClient
  private readonly call: RawCall
  private readonly objects: Map<string, PlainPair>
  /** What was wrong. */
  readonly problems: string[] = []

  constructor(url: string, list: ObjectList) {
    this.list = list
    this.objects = new Map(list.pairs.map((pair) => [pair.key, pair]))
    this.client = new RawGrpcClient(url)
    this.call = this.client.open('/etcdserverpb.Watch/Watch')
    this.send({
      $case: 'createRequest',
      value: WatchCreateRequest.fromPartial({
        key: bytes(list.prefix),
        rangeEnd: endOf(list.prefix),
        startRevision: BigInt(list.revision + 1),
        prevKv: true,
        progressNotify: true,
        fragment: true,
      }),
    })
    void this.follow()
  }

  requestProgress(): void {
    this.send({ $case: 'progressRequest', value: {} })
  }

  /** The objects that a list at a revision must have given, by list and events alone. */
  at(revision: number): readonly PlainPair[] {
    const objects = new Map(this.list.pairs.map((pair) => [pair.key, pair]))
    for (const event of this.events) {
      if (event.revision > revision) break
      if (event.pair === undefined) objects.delete(event.key)
      else objects.set(event.key, event.pair)
    }
    return [...objects.values()].sort((left, right) => (left.key < right.key ? -1 : 1))
  }

  close(): void {
    this.client.close()
  }

  private send(union: NonNullable<WatchRequest['requestUnion']>): void {
    this.call.send(WatchRequest.encode(WatchRequest.fromPartial({ requestUnion: union })).finish())
  }

  private async follow(): Promise<void> {
    for (;;) {
      const message = await this.call.next()
      if (message === undefined) return
      const response = WatchResponse.decode(message)
      for (const event of response.events) this.receive(plainEvent(event))
      if (response.canceled) this.compactRevision = Number(response.compactRevision)
      if (response.events.length === 0 && !response.created && !response.canceled) {
        this.progressRevision = revisionOf(response)
      }
    }
  }

  /** Every change fits what was known of its object: an event's previous pair is what the cache holds. */
  private receive(event: WatchedEvent): void {
    const known = this.objects.get(event.key)
    if (event.revision <= this.progressRevision)
      this.problems.push(
        `an event at ${event.revision} behind progress at ${this.progressRevision}`,
      )
    if (JSON.stringify(known) !== JSON.stringify(event.previous)) {
      this.problems.push(
        `${event.kind} of ${event.key} at ${event.revision}: the cache has ${JSON.stringify(known)}, and ${JSON.stringify(event.previous)} came`,
      )
    }
    if (event.pair === undefined) this.objects.delete(event.key)
    else this.objects.set(event.key, event.pair)
    this.events.push(event)
  }
}

function rangeOperation(key: string): RequestOp {
  return {
    request: { $case: 'requestRange', value: RangeRequest.fromPartial({ key: bytes(key) }) },
  }
}

/** The pair that the other branch of a transaction has read. */
function readIn({ responses }: TxnResponse): PlainPair | undefined {
  const response = responses[0]?.response
  return response?.$case === 'responseRange' ? plainRange(response.value).pairs[0] : undefined
}
