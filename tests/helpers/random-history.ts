/**
 * Writes a random past into a store and keeps a model of it.
 *
 * Many requests are under way at once, so that thousands of them take seconds; the revisions in their answers tell the order
 * in which the store took them, and the model takes them in that order. A lease that runs out takes a revision which no
 * answer names: it shows as a hole in the row of revisions. Only one lease may run out at a time, and nothing else touches
 * its keys meanwhile, so that the hole can only be its.
 */
import type { Random } from '../../src/core/base/random.ts'
import { seededRandom } from '../../src/core/base/random.ts'
import type { RequestOp } from '../../src/core/proto/gen/rpc.ts'
import { HistoryModel } from './history-model.ts'
import { RpcClient } from './rpc-client.ts'

export interface RandomHistoryOptions {
  /** Printed by the test that fails, so that the same requests can be made again. */
  readonly seed: number
  /** Keys in all; 40 unless said otherwise. */
  readonly keyCount?: number
  readonly prefix?: string
}

type Write =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease: bigint }
  | { readonly kind: 'delete'; readonly keys: readonly string[] }

/** One request: its writes happen in one revision, if they change anything. */
interface Step {
  readonly writes: readonly Write[]
  readonly isTxn: boolean
}

/** What a request became. */
interface Outcome {
  readonly step: Step
  readonly revision: number
  readonly hasWritten: boolean
}

const stepsAtOnce = 40
/** Real servers lengthen a shorter time to live to the length of an election. */
const shortTtlSeconds = 3
const longTtlSeconds = 3_600
const expiryTimeoutMs = 30_000

/** A store being written. Every answer is awaited before the model is looked at. */
export class RandomHistory {
  readonly model: HistoryModel
  private readonly rpc: RpcClient
  private readonly random: Random
  private readonly keys: readonly string[]
  private readonly encoder = new TextEncoder()
  private longLeases: bigint[] = []
  /** Will run out; its keys are left alone. */
  private expiring: { readonly lease: bigint; readonly keys: readonly string[] } | undefined
  private valueCount = 0

  private constructor(rpc: RpcClient, options: RandomHistoryOptions, headRevision: number) {
    const { seed, keyCount = 40, prefix = '/model/' } = options
    this.rpc = rpc
    this.random = seededRandom(seed)
    this.keys = Array.from({ length: keyCount }, (_, number) => {
      const folder = 'abcd'[number % 4] ?? 'a'
      return `${prefix}${folder}/${String(number).padStart(3, '0')}`
    })
    this.model = new HistoryModel(headRevision)
  }

  /** @param url  of a server that nobody else writes to */
  static async begin(url: string, options: RandomHistoryOptions): Promise<RandomHistory> {
    const rpc = new RpcClient(url)
    const { header } = await rpc.must('range', { key: new TextEncoder().encode('/') })
    return new RandomHistory(rpc, options, Number(header?.revision ?? 0n))
  }

  /** Sends this many requests of all kinds. */
  async write(stepCount: number): Promise<void> {
    let left = stepCount
    while (left > 0) {
      const count = Math.min(left, stepsAtOnce)
      left -= count
      if (this.random.fraction() < 0.05) await this.changeLeases()
      const steps = Array.from({ length: count }, () => this.nextStep())
      this.take(await Promise.all(steps.map((step) => this.send(step))))
    }
  }

  /** Compacts up to a revision, or up to some revision between the compacted one and the head. */
  async compact(revision?: number): Promise<number> {
    const { compactedRevision, headRevision } = this.model
    const span = headRevision - compactedRevision
    const chosen = revision ?? compactedRevision + 1 + this.random.below(Math.max(1, span))
    await this.rpc.must('compact', { revision: BigInt(chosen), physical: true })
    this.model.compactedRevision = chosen
    return chosen
  }

  /** Waits until nothing can run out any more. */
  async settle(): Promise<void> {
    const endsAtMs = Date.now() + expiryTimeoutMs
    while (this.expiring !== undefined) {
      const { header } = await this.rpc.must('range', { key: this.encoder.encode('/') })
      this.takeExpiry(Number(header?.revision ?? 0n))
      if (Date.now() > endsAtMs) throw new Error('a lease did not run out')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  close(): void {
    this.rpc.close()
  }

  private nextStep(): Step {
    const chance = this.random.fraction()
    if (chance < 0.55) return { isTxn: false, writes: [this.nextPut(this.nextKey())] }
    if (chance < 0.8) return { isTxn: false, writes: [{ kind: 'delete', keys: [this.nextKey()] }] }
    return { isTxn: true, writes: this.nextTxn() }
  }

  private nextTxn(): readonly Write[] {
    const keys = new Set(Array.from({ length: 2 + this.random.below(5) }, () => this.nextKey()))
    return [...keys].map((key) =>
      this.random.fraction() < 0.6 ? this.nextPut(key) : { kind: 'delete', keys: [key] },
    )
  }

  private nextKey(): string {
    for (;;) {
      const key = this.keys[this.random.below(this.keys.length)] ?? ''
      if (this.expiring?.keys.includes(key) !== true) return key
    }
  }

  private nextPut(key: string, lease?: bigint): Write {
    const value = `${String(++this.valueCount)} ${'x'.repeat(this.random.below(60))}`
    const held = this.random.fraction() < 0.15 ? this.longLeases.at(-1) : undefined
    return { kind: 'put', key, value, lease: lease ?? held ?? 0n }
  }

  private async send(step: Step): Promise<Outcome> {
    const operations = step.writes.map((write) => this.operationOf(write))
    const [first] = operations
    if (step.isTxn || first?.request === undefined) {
      const { header, responses } = await this.rpc.must('txn', { success: operations })
      const hasWritten = responses.some(({ response }) =>
        response?.$case === 'responseDeleteRange' ? response.value.deleted > 0n : true,
      )
      return { step, revision: Number(header?.revision ?? 0n), hasWritten }
    }
    const { request } = first
    if (request.$case === 'requestPut') {
      const { header } = await this.rpc.must('put', request.value)
      return { step, revision: Number(header?.revision ?? 0n), hasWritten: true }
    }
    if (request.$case !== 'requestDeleteRange') throw new Error('steps only write')
    const { header, deleted } = await this.rpc.must('deleteRange', request.value)
    return { step, revision: Number(header?.revision ?? 0n), hasWritten: deleted > 0n }
  }

  private operationOf(write: Write): RequestOp {
    const none = new Uint8Array(0)
    if (write.kind === 'put') {
      const value = {
        key: this.encoder.encode(write.key),
        value: this.encoder.encode(write.value),
        lease: write.lease,
        prevKv: false,
        ignoreValue: false,
        ignoreLease: false,
      }
      return { request: { $case: 'requestPut', value } }
    }
    const value = { key: this.encoder.encode(write.keys[0] ?? ''), rangeEnd: none, prevKv: false }
    return { request: { $case: 'requestDeleteRange', value } }
  }

  /** The outcomes in the order of their revisions; a hole is the lease that ran out. */
  private take(outcomes: readonly Outcome[]): void {
    const written = outcomes
      .filter((outcome) => outcome.hasWritten)
      .sort((left, right) => left.revision - right.revision)
    for (const { step, revision } of written) {
      if (revision === this.model.headRevision + 2) this.takeExpiry(revision - 1)
      if (revision !== this.model.headRevision + 1) {
        throw new Error(
          `r${String(revision)} follows r${String(this.model.headRevision)}: somebody else writes`,
        )
      }
      for (const write of step.writes) {
        if (write.kind === 'put') this.model.put(revision, write.key, write)
        else for (const key of write.keys) this.model.delete(revision, key, { isByLease: false })
      }
    }
    // Requests that changed nothing still tell the head, and with it a lease that ran out last of all.
    this.takeExpiry(Math.max(0, ...outcomes.map((outcome) => outcome.revision)))
  }

  private takeExpiry(headRevision: number): void {
    if (headRevision <= this.model.headRevision) return
    const { expiring } = this
    if (expiring === undefined || headRevision !== this.model.headRevision + 1) {
      throw new Error(`nothing of ours wrote r${String(headRevision)}`)
    }
    this.expiring = undefined
    for (const key of expiring.keys) this.model.delete(headRevision, key, { isByLease: true })
  }

  /** Grants leases, attaches keys to one that will run out, revokes one that holds keys. */
  private async changeLeases(): Promise<void> {
    const { ID: long } = await this.rpc.must('leaseGrant', { TTL: BigInt(longTtlSeconds) })
    this.longLeases.push(long)
    if (this.longLeases.length > 3) await this.revoke(this.longLeases.shift() ?? 0n)
    if (this.expiring !== undefined) return
    const { ID: lease } = await this.rpc.must('leaseGrant', { TTL: BigInt(shortTtlSeconds) })
    const keys = [...new Set(Array.from({ length: 3 }, () => this.nextKey()))]
    const writes = keys.map((key) => this.nextPut(key, lease))
    this.take([await this.send({ isTxn: true, writes })])
    this.expiring = { lease, keys }
  }

  private async revoke(lease: bigint): Promise<void> {
    const before = this.model.headRevision
    const keys = this.model.heldBy(lease, before)
    await this.rpc.must('leaseRevoke', { ID: lease })
    if (keys.length === 0) return
    // The header of a revocation may tell the revision of before it, so that the head is asked for.
    const { header } = await this.rpc.must('range', { key: this.encoder.encode('/') })
    const isTwofold = Number(header?.revision ?? 0n) === before + 2
    const isExpiryFirst =
      isTwofold && !(await this.exists(this.expiring?.keys[0] ?? '', before + 1))
    if (isExpiryFirst) this.takeExpiry(before + 1)
    const revision = this.model.headRevision + 1
    for (const key of keys) this.model.delete(revision, key, { isByLease: true })
    this.takeExpiry(Number(header?.revision ?? 0n))
  }

  private async exists(key: string, revision: number): Promise<boolean> {
    const request = { key: this.encoder.encode(key), revision: BigInt(revision), countOnly: true }
    return (await this.rpc.must('range', request)).count > 0n
  }
}
