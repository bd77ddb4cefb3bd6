/** Everything that metrics are made of. */
import type { NodeId } from '../../base/ids.ts'
import type { NodeFigures } from '../../node/node-figures.ts'
import type { ClientCounts } from './client-counts.ts'
import type { CallCounts } from './call-counts.ts'

/** Results of `/health`, and of each check of `/livez` and `/readyz`. */
export interface HealthCounts {
  successCount: number
  failureCount: number
  readonly checks: CheckCounts[]
}

/** Results of one check. */
export interface CheckCounts {
  readonly type: 'livez' | 'readyz'
  readonly name: string
  successCount: number
  failureCount: number
  hasSucceededLast: boolean
}

/** Of the process, as far as its system tells. */
export interface ProcessFigures {
  readonly residentBytes: number
  /** User and system time. */
  readonly cpuSeconds: number
  /** Since 1970. */
  readonly startSeconds: number
  readonly virtualBytes?: number | undefined
  readonly virtualBytesMax?: number | undefined
  readonly openFileCount?: number | undefined
  readonly openFileCountMax?: number | undefined
}

export interface MetricSource {
  readonly memberId: NodeId
  readonly node: NodeFigures
  readonly calls: CallCounts
  /** Of gRPC clients, in bytes. */
  readonly traffic: { readonly receivedBytes: number; readonly sentBytes: number }
  readonly health: HealthCounts
  readonly clients: ClientCounts
  readonly process: ProcessFigures
}
