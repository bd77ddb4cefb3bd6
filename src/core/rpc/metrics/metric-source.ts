/** Everything that metrics are made of. */
import type { NodeId } from '../../base/ids.ts'
import type { NodeFigures } from '../../node/node-figures.ts'
import type { CallCounts } from './call-counts.ts'

/** Results of `/health`. */
export interface HealthCounts {
  successCount: number
  failureCount: number
}

/** Of the process, as far as its system tells. */
export interface ProcessFigures {
  readonly residentBytes: number
  /** User and system time. */
  readonly cpuSeconds: number
  /** Since 1970. */
  readonly startSeconds: number
  readonly virtualBytes?: number | undefined
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
  readonly process: ProcessFigures
}
