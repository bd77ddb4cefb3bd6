/** The cluster behind a connection: its members and how each one is. */

import { z } from 'zod'
import { connectionIdSchema } from './primitives.ts'

export const observeClusterRequestSchema = z
  .strictObject({
    connectionId: connectionIdSchema,
    /** Time between two rounds of asking every member. */
    intervalMs: z.number().int().min(250).max(60_000),
  })
  .readonly()
export type ObserveClusterRequest = z.infer<typeof observeClusterRequestSchema>

/** What one member answered about itself. */
export interface MemberStatus {
  readonly version: string
  /** Absent where the server's version does not report it. */
  readonly storageVersion?: string
  readonly term: number
  readonly raftIndex: number
  readonly raftAppliedIndex: number
  readonly dbSizeBytes: number
  readonly dbSizeInUseBytes: number
  /** Absent where the server's version does not report it. */
  readonly dbSizeQuotaBytes?: number
  /** The leader that this member follows; 0n for none. */
  readonly leaderId: bigint
  /** Newest revision that this member has applied. */
  readonly revision: number
  /** Troubles that the member reports about itself. */
  readonly errors: readonly string[]
}

/** Whether the member answers here. */
export type Reachability =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'reachable'; readonly latencyMs: number }
  | { readonly kind: 'unreachable'; readonly reason: string }

export type AlarmKind = 'noSpace' | 'corrupt'

/** One member: what the cluster says of it, and what it says of itself. */
export interface MemberInfo {
  readonly id: bigint
  /** Empty for a member that was added and has not started. */
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
  /** `unknown` when the member cannot be asked. `candidate`: it knows no leader. */
  readonly role: 'leader' | 'follower' | 'candidate' | 'learner' | 'unknown'
  readonly reachability: Reachability
  /** The last answer; kept, and old, while the member is unreachable. Absent before the first. */
  readonly status?: MemberStatus
  readonly alarms: readonly AlarmKind[]
}

/** The whole cluster at one moment. */
export interface ClusterSnapshot {
  /** Wall time in milliseconds. */
  readonly observedAtMs: number
  readonly clusterId: bigint
  readonly members: readonly MemberInfo[]
  /** Absent while there is none that a majority of the answering members agrees on. */
  readonly leaderId?: bigint
  /** Highest term that a member reported. */
  readonly term: number
  /** Highest revision that a member reported. */
  readonly headRevision: number
  /** Voters that must answer for a write to succeed. */
  readonly quorumSize: number
  /** A majority of voters answers and agrees on a leader. */
  readonly hasQuorum: boolean
}

/** What the cluster stream delivers. `failed`: the member list could not be read this time; the stream goes on. */
export type ClusterItem =
  | { readonly kind: 'snapshot'; readonly snapshot: ClusterSnapshot }
  | { readonly kind: 'failed'; readonly observedAtMs: number; readonly reason: string }
