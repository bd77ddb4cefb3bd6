/**
 * What a cluster says of its members, and what each member says of itself, put together.
 *
 * No answer here needs a leader or a majority: the picture matters most when those are gone. Alarms are read from the
 * status answers, which repeat them, because asking for them goes through the log and waits for a leader.
 */

import type { Clock, Timer } from '../../core/base/clock.ts'
import type { Disposable } from '../../core/base/disposable.ts'
import { noNode } from '../../core/base/ids.ts'
import type { ClusterMember, MemberList } from '../../core/client/cluster-client.ts'
import type { Endpoint } from '../../core/client/endpoint.ts'
import type {
  MemberStatus as ClientStatus,
  StatusResult,
} from '../../core/client/maintenance-client.ts'
import { reasonOf } from '../../core/client/retry-policy.ts'
import { StoreError } from '../../core/errors/store-error.ts'
import type {
  AlarmKind,
  ClusterItem,
  ClusterSnapshot,
  MemberInfo,
  MemberStatus,
  Reachability,
} from '../../preload/contract/cluster.ts'
import type { Connection } from './connection.ts'

const answerTimeoutMs = 2_000

/** Asks again and again and hands each picture on, until disposed. */
export class ClusterObserver implements Disposable {
  private readonly clock: Clock
  private readonly connection: Connection
  private readonly onItem: (item: ClusterItem) => void
  private readonly intervalMs: number
  /** The last answer of each member, shown while it is unreachable. */
  private readonly lastStatuses = new Map<bigint, MemberStatus>()
  private readonly abort = new AbortController()
  private lastMembers: MemberList | undefined
  private timer: Timer | undefined

  constructor(
    clock: Clock,
    connection: Connection,
    options: { readonly intervalMs: number; readonly onItem: (item: ClusterItem) => void },
  ) {
    this.clock = clock
    this.connection = connection
    this.intervalMs = options.intervalMs
    this.onItem = options.onItem
    void this.round()
  }

  dispose(): void {
    this.abort.abort()
    this.timer?.cancel()
  }

  private async round(): Promise<void> {
    const startedAtMs = this.clock.monotonicMs()
    const item = await this.observe()
    if (this.abort.signal.aborted) return
    this.onItem(item)
    const tookMs = this.clock.monotonicMs() - startedAtMs
    this.timer = this.clock.setTimer(Math.max(0, this.intervalMs - tookMs), () => {
      void this.round()
    })
  }

  private async observe(): Promise<ClusterItem> {
    try {
      const snapshot = await this.takeSnapshot()
      return { kind: 'snapshot', snapshot }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return { kind: 'failed', observedAtMs: this.clock.wallMs(), reason: error.message }
    }
  }

  private async takeSnapshot(): Promise<ClusterSnapshot> {
    const [list, answers] = await Promise.all([this.listMembers(), this.askEndpoints()])
    const members = await Promise.all(list.members.map((member) => this.describe(member, answers)))
    return snapshotOf(this.clock.wallMs(), list, members)
  }

  /** The list changes rarely, so the last one will do while no member can give one. */
  private async listMembers(): Promise<MemberList> {
    try {
      this.lastMembers = await this.connection.client.cluster.listMembers({
        isLinearizable: false,
        timeoutMs: answerTimeoutMs,
        signal: this.abort.signal,
      })
    } catch (error) {
      if (!(error instanceof StoreError) || this.lastMembers === undefined) throw error
    }
    return this.lastMembers
  }

  private async askEndpoints(): Promise<Map<Endpoint, StatusResult>> {
    const { client } = this.connection
    const answers = await Promise.all(
      client.pool.endpoints.map(async (endpoint) => {
        const result = await this.ask(endpoint)
        if (result.ok) client.pool.markReady(endpoint, result.latencyMs)
        else if (!this.abort.signal.aborted)
          client.pool.markFailed(endpoint, reasonOf(result.failure))
        return [endpoint, result] as const
      }),
    )
    return new Map(answers)
  }

  private async ask(endpoint: Endpoint): Promise<StatusResult> {
    const { signal } = this.abort
    const result = await this.connection.client.maintenance.status(endpoint, {
      timeoutMs: answerTimeoutMs,
      signal,
    })
    if (result.ok) this.connection.noteRevision(result.status.header.revision)
    return result
  }

  private async describe(
    member: ClusterMember,
    answers: ReadonlyMap<Endpoint, StatusResult>,
  ): Promise<MemberInfo> {
    const result = await this.findAnswer(member, answers)
    const status = result?.ok === true ? result.status : undefined
    if (status !== undefined) this.lastStatuses.set(member.id, contractStatusOf(status))
    const lastStatus = this.lastStatuses.get(member.id)
    return {
      ...member,
      role: roleOf(member, status),
      reachability: reachabilityOf(result),
      ...(lastStatus === undefined ? {} : { status: lastStatus }),
      alarms: alarmsOf(member, answers),
    }
  }

  /**
   * Which answer is this member's. Members tell their id, which holds also behind forwarded ports, where the advertised
   * URL is not the one that was dialled.
   */
  private async findAnswer(
    member: ClusterMember,
    answers: ReadonlyMap<Endpoint, StatusResult>,
  ): Promise<StatusResult | undefined> {
    for (const result of answers.values()) {
      if (result.ok && result.status.header.memberId === member.id) return result
    }
    for (const url of member.clientUrls) {
      const endpoint = this.connection.client.findEndpoint(url)
      if (endpoint !== undefined) return answers.get(endpoint) ?? (await this.ask(endpoint))
    }
    return undefined
  }
}

function snapshotOf(
  observedAtMs: number,
  list: MemberList,
  members: readonly MemberInfo[],
): ClusterSnapshot {
  const voters = members.filter((member) => !member.isLearner)
  const quorumSize = Math.floor(voters.length / 2) + 1
  const reachable = members.filter((member) => member.reachability.kind === 'reachable')
  const leaderId = leaderOf(reachable)
  const followers = reachable.filter(
    (member) => !member.isLearner && member.status?.leaderId === leaderId,
  )
  const highest = (figure: (status: MemberStatus) => number): number =>
    Math.max(
      0,
      ...members.flatMap((member) => (member.status === undefined ? [] : [figure(member.status)])),
    )
  return {
    observedAtMs,
    clusterId: list.header.clusterId,
    members,
    ...(leaderId === undefined ? {} : { leaderId }),
    term: highest((status) => status.term),
    headRevision: highest((status) => status.revision),
    quorumSize,
    hasQuorum: leaderId !== undefined && followers.length >= quorumSize,
  }
}

/** The leader that the members of the highest term name; older terms have been overruled. */
function leaderOf(reachable: readonly MemberInfo[]): bigint | undefined {
  const statuses = reachable.flatMap((member) =>
    member.status === undefined ? [] : [member.status],
  )
  const term = Math.max(0, ...statuses.map((status) => status.term))
  const named = statuses.find((status) => status.term === term && status.leaderId !== noNode)
  return named?.leaderId
}

function roleOf(member: ClusterMember, status: ClientStatus | undefined): MemberInfo['role'] {
  if (status === undefined) return 'unknown'
  if (member.isLearner) return 'learner'
  if (status.leaderId === member.id) return 'leader'
  return status.leaderId === noNode ? 'candidate' : 'follower'
}

function reachabilityOf(result: StatusResult | undefined): Reachability {
  if (result === undefined) return { kind: 'unknown' }
  if (result.ok) return { kind: 'reachable', latencyMs: result.latencyMs }
  return { kind: 'unreachable', reason: reasonOf(result.failure) }
}

function contractStatusOf(status: ClientStatus): MemberStatus {
  return {
    version: status.version,
    ...(status.storageVersion === '' ? {} : { storageVersion: status.storageVersion }),
    term: status.term,
    raftIndex: status.raftIndex,
    raftAppliedIndex: status.raftAppliedIndex,
    dbSizeBytes: status.dbSizeBytes,
    dbSizeInUseBytes: status.dbSizeInUseBytes,
    ...(status.dbSizeQuotaBytes === 0 ? {} : { dbSizeQuotaBytes: status.dbSizeQuotaBytes }),
    leaderId: status.leaderId,
    revision: status.header.revision,
    errors: status.errors,
  }
}

/** Members repeat every alarm of the cluster as `memberID:123 alarm:NOSPACE`, with spaces that differ by version. */
function alarmsOf(
  member: ClusterMember,
  answers: ReadonlyMap<Endpoint, StatusResult>,
): readonly AlarmKind[] {
  const alarms = new Set<AlarmKind>()
  for (const result of answers.values()) {
    if (!result.ok) continue
    for (const line of result.status.errors) {
      const match = /^memberID:([0-9]+)\s+alarm:(NOSPACE|CORRUPT)\s*$/.exec(line)
      if (match?.[1] !== member.id.toString()) continue
      alarms.add(match[2] === 'NOSPACE' ? 'noSpace' : 'corrupt')
    }
  }
  return [...alarms]
}
