/** A host of plans over a store in memory, and the steps that tests make with it. */

import { leaseId } from '../../src/core/base/ids.ts'
import { PlanHost } from '../../src/main/plans/plan-host.ts'
import { planRowAt, type PlanRow } from '../../src/preload/contract/plan-columns.ts'
import type {
  PlanItem,
  PlanReport,
  PlanRunItem,
  PlanSource,
  PlanSummary,
} from '../../src/preload/contract/plan.ts'
import type { BridgeError } from '../../src/preload/contract/reply.ts'
import { FakePlanCluster } from './fake-plan-cluster.ts'
import { browserClock } from './fake-plans.ts'
import { FakeStore } from './fake-store.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Text of bytes. */
export function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : decoder.decode(value)
}

/** A plan that was computed. */
export interface OpenPlan {
  readonly planId: number
  readonly rows: readonly PlanRow[]
  readonly summary: PlanSummary
  close(): void
}

export class PlanWorld {
  readonly store = new FakeStore()
  readonly cluster = new FakePlanCluster(this.store)
  readonly others = new Map<string, FakePlanCluster>()
  readonly leases = new Set<bigint>()
  isReadOnly = false
  readonly host = new PlanHost({
    clock: browserClock,
    target: (connectionId) => ({
      connectionId,
      cluster: this.others.get(connectionId) ?? this.cluster,
      assertWritable: () => {
        if (this.isReadOnly) throw new Error('read-only')
      },
      listLeases: () => Promise.resolve(this.leases),
      grantLease: (ttlSeconds) => {
        const lease = leaseId(BigInt(1_000 + ttlSeconds))
        this.leases.add(lease)
        return Promise.resolve(lease)
      },
      record: (_keys, send) => send(),
    }),
  })

  put(key: string, value: string, lease = 0n): number {
    return this.store.put(bytes(key), bytes(value), lease).revision
  }

  remove(...keys: readonly string[]): number {
    this.store.delete(keys.map(bytes))
    return this.store.revision
  }

  /** Every key with its value. */
  state(revision = 0): ReadonlyMap<string, string> {
    const { columns } = this.store.range({
      ...{ connectionId: 'c', range: { kind: 'all' }, limit: 1_000_000, revision },
      valueBytesMax: 1_000_000,
    })
    const state = new Map<string, string>()
    for (let row = 0; row < columns.rowCount; row++) {
      const keyBytes = columns.keyBytes.slice(columns.keyOffsets[row], columns.keyOffsets[row + 1])
      const value = columns.valueBytes.slice(
        columns.valueOffsets[row],
        columns.valueOffsets[row + 1],
      )
      state.set(decoder.decode(keyBytes), decoder.decode(value))
    }
    return state
  }

  /** Computes a plan; rejects with the failure that ended it. */
  open(source: PlanSource): Promise<OpenPlan> {
    return new Promise((resolve, reject) => {
      const rows: PlanRow[] = []
      const plan = this.host.open(
        { connectionId: 'c', source },
        {
          push: (item: PlanItem) => {
            if (item.kind === 'rows') {
              for (let row = 0; row < item.columns.rowCount; row++)
                rows.push(planRowAt(item.columns, row))
            }
            if (item.kind !== 'ready') return
            const { summary } = item
            const close = (): void => {
              plan.dispose()
            }
            resolve({ planId: summary.planId, rows, summary, close })
          },
          end: (error) => {
            reject(new PlanFailure(error))
          },
        },
      )
    })
  }

  /** Runs a plan that was computed. */
  run(
    planId: number,
    options: { excludedRows?: Uint32Array; onProgress?: (item: PlanRunItem) => void } = {},
  ): Promise<PlanReport> {
    const { excludedRows, onProgress } = options
    return new Promise((resolve, reject) => {
      this.host.run(
        { planId, ...(excludedRows === undefined ? {} : { excludedRows }) },
        {
          push: (item) => {
            onProgress?.(item)
            if (item.kind === 'report') resolve(item.report)
          },
          end: (error) => {
            if (error !== undefined) reject(new PlanFailure(error))
          },
        },
      )
    })
  }

  /** Computes and runs. */
  async carryOut(source: PlanSource): Promise<PlanReport> {
    const plan = await this.open(source)
    return this.run(plan.planId)
  }
}

/** How a plan ended that was not computed or not run. */
class PlanFailure extends Error {
  readonly code: string

  constructor(error: BridgeError | undefined) {
    super(error?.message ?? 'ended')
    this.code = error?.code ?? ''
  }
}
