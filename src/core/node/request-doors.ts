/** Builds what takes requests that are not about keys: leases, users and roles, members, and the state of the cluster. */
import { checkLeaseAccess } from '../apply/access-check.ts'
import { costOfLeaseGrant } from '../apply/write-cost.ts'
import { rootName, type AuthInfo, type AuthStore } from '../auth/auth-store.ts'
import { JwtTokens } from '../auth/jwt-tokens.ts'
import { Passwords } from '../auth/passwords.ts'
import type { ClusterId, NodeId } from '../base/ids.ts'
import { settled } from '../base/settler.ts'
import type { RaftNode } from '../raft/raft-node.ts'
import { AutoCompaction } from './auto-compaction.ts'
import { AuthRequests } from './auth-requests.ts'
import { callerOf } from './caller.ts'
import { ClusterVersionMonitor, downgradePath, DowngradeRequests } from './cluster-version.ts'
import { CorruptionCheck } from './corruption-check.ts'
import { answerLeaseQuestion, remoteLeases, type PeerAnswer } from './leader-leases.ts'
import type { Leadership } from './leadership.ts'
import { LeaseExpiry } from './lease-expiry.ts'
import { LeaseRequests } from './lease-requests.ts'
import type { LinearizableReads } from './linearizable-read.ts'
import { MembershipRequests, promotePath } from './membership-requests.ts'
import type { NodeConfig } from './node-config.ts'
import type { NodeEnvironment } from './node-environment.ts'
import type { PeerDirectory } from './peer-directory.ts'
import { answerHashQuestion, hashPath } from './peer-hash.ts'
import type { Proposals } from './proposals.ts'
import type { SpaceQuota } from './space-quota.ts'
import { SpaceRefusal } from './space-refusal.ts'
import type { StateMachine } from './state-machine.ts'

/** What the doors lead to. */
export interface DoorParts {
  readonly environment: NodeEnvironment
  readonly config: NodeConfig
  readonly memberId: NodeId
  readonly clusterId: ClusterId
  readonly machine: StateMachine
  readonly raft: RaftNode
  readonly peers: PeerDirectory
  readonly leadership: Leadership
  readonly proposals: Proposals
  readonly reads: LinearizableReads
  readonly quota: SpaceQuota
  /** Whether so much time passed since the driver's last tick that somebody else may lead by now. */
  readonly mayBePaused: () => boolean
}

export interface RequestDoors {
  readonly leaseExpiry: LeaseExpiry
  readonly leases: LeaseRequests
  readonly auth: AuthRequests
  readonly members: MembershipRequests
  /** Asks of itself what nobody else does. */
  readonly autoCompaction: AutoCompaction
  /** Refuses what there is no room for, whoever asks for it. */
  readonly room: SpaceRefusal
  /** Finds out what all members can do. */
  readonly versions: ClusterVersionMonitor
  readonly downgrades: DowngradeRequests
  /** Finds members that hold something else. */
  readonly corruption: CorruptionCheck
  /** Answers another member that asks for the hash over the key space. */
  answerHash(body: Uint8Array): Promise<PeerAnswer>
}

export function openDoors(parts: DoorParts): RequestDoors {
  const leaseExpiry = leaseExpiryOf(parts)
  const auth = authOf(parts)
  const room = new SpaceRefusal({ ...parts, auth, logger: parts.environment.logger })
  return {
    leaseExpiry,
    leases: leasesOf(parts, leaseExpiry, room),
    auth,
    members: membersOf(parts),
    autoCompaction: autoCompactionOf(parts),
    room,
    versions: versionsOf(parts),
    downgrades: downgradesOf(parts),
    corruption: corruptionOf(parts),
    answerHash: (body) => answerHash(parts, body),
  }
}

/** Answers what another member asks on the peer port. */
export function answerPeer(
  doors: RequestDoors,
  path: string,
  body: Uint8Array,
): Promise<PeerAnswer> {
  if (path.startsWith(promotePath)) return doors.members.answerPromotion(path)
  if (path === hashPath) return doors.answerHash(body)
  if (path === downgradePath) return doors.downgrades.answer()
  return answerLeaseQuestion(doors.leases, path, body)
}

function leaseExpiryOf(parts: DoorParts): LeaseExpiry {
  const { environment, config, machine, proposals } = parts
  const { clock, logger } = environment
  return new LeaseExpiry(
    {
      clock,
      logger,
      leases: () => machine.state.leases,
      propose: (request) => proposals.submit(request, callerOf(rootOf(machine.state.auth))),
    },
    {
      electionMs: config.electionMs,
      requestTimeoutMs: config.requestTimeoutMs,
      writesCheckpoints: config.writesLeaseCheckpoints,
    },
  )
}

function leasesOf(parts: DoorParts, expiry: LeaseExpiry, room: SpaceRefusal): LeaseRequests {
  const { environment, config, machine, leadership, proposals, memberId, mayBePaused } = parts
  const { clock, random, askPeer } = environment
  const { electionMs, requestTimeoutMs } = config
  return new LeaseRequests(
    {
      clock,
      random,
      expiry,
      memberId,
      mayBePaused,
      leases: () => machine.state.leases,
      leader: () => leadership.leader,
      remote: remoteLeases(askPeer, (id) => machine.state.membership.find(id)),
      propose: (request, requester) => proposals.submit(request, callerOf(requester)),
      checkKeys: (requester, lease, access) => {
        checkLeaseAccess(machine.state, requester ?? nobody, { lease, access })
      },
      confirm: () => confirm(parts.reads),
      refusalForSpace: () => room.refusalFor(costOfLeaseGrant),
    },
    { electionMs, requestTimeoutMs },
  )
}

function authOf(parts: DoorParts): AuthRequests {
  const { environment, config, machine, proposals } = parts
  const { clock, random } = environment
  return new AuthRequests(
    {
      clock,
      random,
      passwords: new Passwords(config.passwordCost),
      jwt: config.jwt === undefined ? undefined : new JwtTokens(config.jwt),
      state: () => machine.state,
      appliedIndex: () => machine.appliedIndex,
      propose: (request, requester) => proposals.submit(request, callerOf(requester)),
      confirm: () => confirm(parts.reads),
    },
    config.simpleTokenTtlMs,
  )
}

function membersOf(parts: DoorParts): MembershipRequests {
  const { environment, config, machine, raft, peers, proposals, memberId } = parts
  const { clock, askPeer } = environment
  return new MembershipRequests(
    {
      clock,
      memberId,
      peers,
      askPeer,
      sha1: (bytes) => environment.sha1(bytes),
      members: () => machine.state.membership.list(),
      raft: () => raft.status(),
      propose: (encode) => proposals.submitChange(encode),
    },
    { isStrict: config.isStrictAboutQuorum, requestTimeoutMs: config.requestTimeoutMs },
  )
}

/** The node does in root's name what nobody asked it for. */
function rootOf(auth: AuthStore): AuthInfo | undefined {
  return auth.isEnabled ? { username: rootName, revision: auth.revision } : undefined
}

function autoCompactionOf(parts: DoorParts): AutoCompaction {
  const { environment, config, machine, leadership, proposals } = parts
  const { clock, logger } = environment
  return new AutoCompaction(
    {
      clock,
      logger,
      currentRevision: () => machine.state.store.currentRevision,
      isLeader: () => leadership.role === 'leader',
      compact: (revision) =>
        proposals.submit(
          { kind: 'compact', request: { revision: BigInt(revision), physical: false } },
          callerOf(rootOf(machine.state.auth)),
        ),
    },
    config.autoCompaction,
  )
}

function versionsOf(parts: DoorParts): ClusterVersionMonitor {
  const { environment, config, machine, leadership, proposals, memberId } = parts
  const { clock, logger, askPeer } = environment
  return new ClusterVersionMonitor(
    {
      clock,
      logger,
      memberId,
      askPeer,
      serverVersion: config.reportedVersion,
      members: () => machine.state.membership.list(),
      state: () => machine.state.membership.clusterVersion,
      isLeader: () => leadership.role === 'leader',
      propose: (request) => proposals.submit(request),
    },
    config.downgradeCheckMs,
  )
}

function downgradesOf({ machine, proposals, reads }: DoorParts): DowngradeRequests {
  return new DowngradeRequests({
    state: () => machine.state.membership.clusterVersion,
    confirm: () => confirm(reads),
    propose: (request) => proposals.submit(request),
  })
}

function corruptionOf(parts: DoorParts): CorruptionCheck {
  const { environment, config, machine, leadership, proposals, reads, memberId } = parts
  const { clock, logger, askPeer } = environment
  return new CorruptionCheck(
    {
      clock,
      logger,
      memberId,
      askPeer,
      members: () => machine.state.membership.list(),
      isLeader: () => leadership.role === 'leader',
      hashAt: (revision) => machine.hashAt(revision),
      currentRevision: () => machine.state.store.currentRevision,
      compactionHashes: () => machine.compactionHashes,
      confirm: () => confirm(reads),
      propose: (request) => proposals.submit(request, callerOf(rootOf(machine.state.auth))),
    },
    config.corruptionChecks,
  )
}

function answerHash(
  { clusterId, memberId, raft, machine }: DoorParts,
  body: Uint8Array,
): Promise<PeerAnswer> {
  return answerHashQuestion(
    {
      clusterId,
      memberId,
      term: () => raft.term,
      currentRevision: () => machine.state.store.currentRevision,
      hashAt: (revision) => machine.hashAt(revision),
    },
    body,
  )
}

const nobody: AuthInfo = { username: '', revision: 0 }

function confirm(reads: LinearizableReads): Promise<void> {
  return settled((settler) => {
    reads.join(settler, undefined)
  })
}
