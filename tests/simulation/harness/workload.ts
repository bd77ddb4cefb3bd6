/** Clients that follow the real client's rules: one operation at a time, time-outs, unknown outcomes, unique values. */
import { InvariantViolation } from '../../../src/core/base/assert.ts'
import { namedRandom, type Random } from '../../../src/core/base/random.ts'
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
  type Compare,
  type RequestOp,
} from '../../../src/core/proto/gen/rpc.ts'
import type { ClientRequest, OperationRecord } from './history.ts'
import { callNode, type CallContext } from './sim-client.ts'
import type { SimNode } from './sim-cluster.ts'
import type { PlainPair } from './store-model.ts'

const encoder = new TextEncoder()
const bytes = (text: string): Uint8Array => encoder.encode(text)

/** Client numbers from here on belong to the harness itself. */
export const harnessClient = 1_000

/** One client, and what it has learnt from answers. */
export class SimClient {
  readonly number: number
  private readonly context: CallContext
  private readonly random: Random
  private readonly timeoutUs: number
  private operationCount = 0
  private highestRevision = 1
  private readonly lastPairs = new Map<string, PlainPair>()
  private endpoint: number
  /** A reader asks all the time and writes nothing: only so does somebody look at a leader that was replaced. */
  private readonly isReader: boolean
  /** Stays with its endpoint, whatever happens to it. */
  private readonly isFaithful: boolean

  constructor(context: CallContext, number: number) {
    const { plan } = context.cluster
    this.context = context
    this.number = number
    this.random = namedRandom(plan.seed, `workload/${number}`)
    this.timeoutUs = [500_000, 2_000_000, 10_000_000][this.random.below(3)]!
    this.endpoint = this.random.below(plan.voterCount)
    this.isReader = number > 0 && this.random.below(2) === 0
    this.isFaithful = this.random.below(2) === 0
  }

  /** Works until told to stop. */
  async run(isStopping: () => boolean): Promise<void> {
    const { scheduler, plan } = this.context.cluster
    while (!isStopping()) {
      await new Promise<void>((resolve) => {
        const thinkUsMax = this.isReader ? plan.workload.thinkUsMax / 2 : plan.workload.thinkUsMax
        scheduler.schedule(this.random.below(thinkUsMax), { kind: 'think' }, resolve)
      })
      if (isStopping()) return
      const { request, marker } = this.drawRequest()
      await this.call(request, { marker })
    }
  }

  /** Sends one request to the endpoint in use, and moves on to another one when that does not answer. */
  async call(
    request: ClientRequest,
    options: { readonly marker: string | undefined; readonly node?: SimNode },
  ): Promise<OperationRecord> {
    const { nodes, plan } = this.context.cluster
    const record = await callNode(this.context, options.node ?? nodes[this.endpoint]!, request, {
      client: this.number,
      random: this.random,
      timeoutUs: this.timeoutUs,
      marker: options.marker,
    })
    if (record.outcome.kind === 'ok') this.learn(record)
    else if (options.node === undefined && !this.isFaithful && this.random.below(4) !== 0) {
      this.endpoint = this.random.below(plan.voterCount)
    }
    return record
  }

  /** A put that nobody else writes. */
  drawPut(): { readonly request: ClientRequest; readonly marker: string } {
    const marker = this.nextMarker()
    const body = PutRequest.fromPartial({
      key: bytes(this.drawKey()),
      value: bytes(marker),
      prevKv: this.random.below(2) === 0,
    })
    return { request: { kind: 'put', body }, marker }
  }

  private drawRequest(): { readonly request: ClientRequest; readonly marker: string | undefined } {
    const choice = this.isReader ? 99 : this.random.below(100)
    if (choice < 40) return this.drawPut()
    if (choice < 48) return { request: this.drawDelete(), marker: undefined }
    if (choice < 63) return this.drawTxn()
    return { request: { kind: 'range', body: this.drawRange() }, marker: undefined }
  }

  private drawDelete(): ClientRequest {
    const key = this.drawKey()
    const body = DeleteRangeRequest.fromPartial({
      key: bytes(key),
      rangeEnd: this.random.below(5) === 0 ? bytes(`${key}~`) : new Uint8Array(0),
      prevKv: this.random.below(2) === 0,
    })
    return { kind: 'deleteRange', body }
  }

  private drawTxn(): { readonly request: ClientRequest; readonly marker: string } {
    const marker = this.nextMarker()
    const keys = [this.drawKey(), this.drawKey(), this.drawKey()]
    const put = (key: string): RequestOp => ({
      request: {
        $case: 'requestPut',
        value: PutRequest.fromPartial({ key: bytes(key), value: bytes(marker) }),
      },
    })
    const range: RequestOp = {
      request: {
        $case: 'requestRange',
        value: RangeRequest.fromPartial({ key: bytes(keys[2]!), rangeEnd: bytes('l') }),
      },
    }
    const remove: RequestOp = {
      request: {
        $case: 'requestDeleteRange',
        value: DeleteRangeRequest.fromPartial({ key: bytes(keys[1]!), prevKv: true }),
      },
    }
    const hasTwoKeys = keys[0] !== keys[1]
    const success = [
      put(keys[0]!),
      ...(hasTwoKeys && this.random.below(2) === 0 ? [remove] : []),
      range,
    ]
    const failure =
      this.random.below(2) === 0
        ? [range]
        : hasTwoKeys
          ? [range, put(keys[1]!), put(keys[0]!)]
          : [put(keys[0]!)]
    const compare = [
      this.drawCompare(keys[0]!),
      ...(this.random.below(3) === 0 ? [this.drawCompare(keys[1]!)] : []),
    ]
    return {
      request: { kind: 'txn', body: TxnRequest.fromPartial({ compare, success, failure }) },
      marker,
    }
  }

  /** Compares with what was last seen of the key, so that it holds about half of the time. */
  private drawCompare(key: string): Compare {
    const known = this.lastPairs.get(key)
    const result = [
      Compare_CompareResult.EQUAL,
      Compare_CompareResult.GREATER,
      Compare_CompareResult.LESS,
      Compare_CompareResult.NOT_EQUAL,
    ][this.random.below(4)]!
    const choice = this.random.below(4)
    const common = { result, key: bytes(key), rangeEnd: new Uint8Array(0) }
    if (choice === 0) {
      return {
        ...common,
        target: Compare_CompareTarget.VERSION,
        targetUnion: { $case: 'version', value: BigInt(known?.version ?? 0) },
      }
    }
    if (choice === 1) {
      return {
        ...common,
        target: Compare_CompareTarget.CREATE,
        targetUnion: { $case: 'createRevision', value: BigInt(known?.create ?? 0) },
      }
    }
    if (choice === 2) {
      return {
        ...common,
        target: Compare_CompareTarget.MOD,
        targetUnion: { $case: 'modRevision', value: BigInt(known?.mod ?? 0) },
      }
    }
    return {
      ...common,
      target: Compare_CompareTarget.VALUE,
      targetUnion: { $case: 'value', value: bytes(known?.value ?? '') },
    }
  }

  private drawRange(): RangeRequest {
    const isPrefix = this.random.below(3) === 0
    const revision =
      this.random.below(4) === 0
        ? Math.max(0, this.highestRevision - 40 + this.random.below(44))
        : 0
    return RangeRequest.fromPartial({
      key: isPrefix ? bytes('k') : bytes(this.drawKey()),
      rangeEnd: isPrefix ? bytes('l') : new Uint8Array(0),
      limit: isPrefix && this.random.below(2) === 0 ? BigInt(1 + this.random.below(5)) : 0n,
      revision: BigInt(revision),
      serializable: this.random.below(5) === 0,
      countOnly: this.random.below(12) === 0,
      keysOnly: this.random.below(12) === 0,
    })
  }

  private drawKey(): string {
    return `k${this.random.below(this.context.cluster.plan.workload.keyCount)}`
  }

  private nextMarker(): string {
    this.operationCount += 1
    return `#${this.number}.${this.operationCount}#`
  }

  private learn(record: OperationRecord): void {
    if (record.outcome.kind !== 'ok') return
    const { answer } = record.outcome
    if ('revision' in answer) this.highestRevision = Math.max(this.highestRevision, answer.revision)
    if (
      answer.kind === 'range' &&
      record.request.kind === 'range' &&
      !record.request.body.keysOnly
    ) {
      for (const pair of answer.pairs) this.lastPairs.set(pair.key, pair)
    }
  }
}

/** Compacts now and then, a little behind the newest revision it knows of. */
export async function runCompactor(context: CallContext, isStopping: () => boolean): Promise<void> {
  const { scheduler, plan, nodes } = context.cluster
  if (plan.workload.compactionUs === 0) return
  const random = namedRandom(plan.seed, 'workload/compactor')
  while (!isStopping()) {
    await new Promise<void>((resolve) => {
      scheduler.schedule(random.below(2 * plan.workload.compactionUs), { kind: 'think' }, resolve)
    })
    if (isStopping()) return
    const node = nodes[random.below(plan.voterCount)]!
    const current = node.life?.node?.currentRevision ?? 1
    const revision = Math.max(1, current - random.below(30) + (random.below(10) === 0 ? 3 : 0))
    const body = CompactionRequest.fromPartial({
      revision: BigInt(revision),
      physical: random.below(3) === 0,
    })
    const options = { client: harnessClient - 1, random, timeoutUs: 3_000_000, marker: undefined }
    await callNode(context, node, { kind: 'compact', body }, options)
    if (random.below(2) === 0) beginDefragmentation(context, nodes[random.below(plan.voterCount)]!)
  }
}

/** Nobody waits for it: it may still run when its node dies. */
function beginDefragmentation({ cluster }: CallContext, { life }: SimNode): void {
  const running = life?.node
  if (running === undefined) return
  cluster.scheduler.schedule(1, { kind: 'defragment', process: life?.process }, () => {
    running.defragment().catch((error: unknown) => {
      // A node that stops, or a disk that fails under it, ends the attempt; a bug must not be silent.
      if (error instanceof InvariantViolation) throw error
    })
  })
}
