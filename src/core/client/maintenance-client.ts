/** What single members tell about themselves. Each call goes to the one endpoint named, and is never repeated elsewhere. */

import type { Clock } from '../base/clock.ts'
import { nodeId, type NodeId } from '../base/ids.ts'
import { MaintenanceDefinition } from '../proto/gen/rpc.ts'
import type { Endpoint } from './endpoint.ts'
import { headerOf, safeNumber, type ResponseHeader } from './key-value.ts'
import { attemptCall, type CallEnvironment } from './retry-policy.ts'
import { bindMethod } from './rpc-method.ts'
import type { CallFailure } from './status-to-error.ts'

export interface MemberStatus {
  readonly header: ResponseHeader
  readonly version: string
  /** Empty where the server does not report it. */
  readonly storageVersion: string
  readonly leaderId: NodeId
  readonly term: number
  readonly raftIndex: number
  /** 0 where the server does not report it. */
  readonly raftAppliedIndex: number
  readonly dbSizeBytes: number
  readonly dbSizeInUseBytes: number
  /** 0 where the server does not report it. */
  readonly dbSizeQuotaBytes: number
  readonly isLearner: boolean
  readonly errors: readonly string[]
}

/** The answer of one member with the time it took. */
export type StatusResult =
  | { readonly ok: true; readonly status: MemberStatus; readonly latencyMs: number }
  | { readonly ok: false; readonly failure: CallFailure }

const methods = {
  status: bindMethod(MaintenanceDefinition, MaintenanceDefinition.methods.status),
}

export class MaintenanceClient {
  private readonly clock: Clock

  constructor(environment: CallEnvironment) {
    this.clock = environment.clock
  }

  /** Asks one member how it is. Never rejects. */
  async status(
    endpoint: Endpoint,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<StatusResult> {
    const startedAtMs = this.clock.monotonicMs()
    const result = await attemptCall(
      endpoint,
      methods.status,
      {},
      {
        timeoutMs: options.timeoutMs,
        needsLeader: false,
        signal: options.signal,
      },
    )
    if (!result.ok) return result
    const { response } = result
    const status = {
      header: headerOf(response.header),
      version: response.version,
      storageVersion: response.storageVersion,
      leaderId: nodeId(response.leader),
      term: safeNumber(response.raftTerm),
      raftIndex: safeNumber(response.raftIndex),
      raftAppliedIndex: safeNumber(response.raftAppliedIndex),
      dbSizeBytes: safeNumber(response.dbSize),
      dbSizeInUseBytes: safeNumber(response.dbSizeInUse),
      dbSizeQuotaBytes: safeNumber(response.dbSizeQuota),
      isLearner: response.isLearner,
      errors: response.errors,
    }
    return { ok: true, status, latencyMs: this.clock.monotonicMs() - startedAtMs }
  }
}
