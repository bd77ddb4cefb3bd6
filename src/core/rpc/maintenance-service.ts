/**
 * The Maintenance service: status, hashes, alarms, leadership, defragmentation, the lowering of the cluster's version, and
 * snapshots.
 */
import { assertNever } from '../base/assert.ts'
import { StoreError } from '../errors/store-error.ts'
import { asNodeId, type Alarm, type NodeId } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmResponse,
  AlarmType,
  DefragmentRequest,
  DefragmentResponse,
  DowngradeRequest,
  DowngradeRequest_DowngradeAction,
  DowngradeResponse,
  HashKVRequest,
  HashKVResponse,
  HashRequest,
  HashResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  StatusRequest,
  StatusResponse,
} from '../proto/gen/rpc.ts'
import { frameOf, unaryMethod } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { CallContext, RpcMethod } from './rpc-call.ts'
import type { ServingState } from './serving-state.ts'
import { snapshotMethod } from './snapshot-service.ts'
import { WireError } from './status-mapping.ts'

/** The methods of `etcdserverpb.Maintenance`. */
export function maintenanceService(
  node: StoreNode,
  headers: ResponseHeaders,
  serving: ServingState,
): ReadonlyMap<string, RpcMethod> {
  return new Map<string, RpcMethod>([
    ['Snapshot', snapshotMethod(node)],
    ['Status', statusMethod(node, headers)],
    [
      'Defragment',
      unaryMethod(DefragmentRequest, async () => {
        await serving.whileDefragmenting(() => node.defragment())
        // etcd sends no header here.
        return frameOf(DefragmentResponse, { header: undefined })
      }),
    ],
    [
      'Hash',
      unaryMethod(HashRequest, async () => {
        const { hash, revision } = await node.hashAll()
        return frameOf(HashResponse, { header: headers.message(revision), hash })
      }),
    ],
    [
      'HashKV',
      unaryMethod(HashKVRequest, async (request) => {
        const result = await node.hashKv(revisionOf(request.revision))
        return frameOf(HashKVResponse, {
          header: headers.message(result.revision),
          hash: result.hash,
          compactRevision: BigInt(result.compactedRevision),
          hashRevision: BigInt(result.hashRevision),
        })
      }),
    ],
    [
      'Alarm',
      unaryMethod(AlarmRequest, async (request, cancellation) => {
        checkAlarm(request)
        const result = await node.alarm(request, { cancellation })
        return frameOf(AlarmResponse, {
          header: headers.message(result.revision),
          alarms: result.alarms.map((alarm) => ({
            memberID: alarm.memberId,
            alarm: alarmTypeOf(alarm),
          })),
        })
      }),
    ],
    [
      'MoveLeader',
      unaryMethod(MoveLeaderRequest, async ({ targetID }, cancellation) => {
        await moveLeader(node, asNodeId(targetID), cancellation)
        return frameOf(MoveLeaderResponse, { header: undefined })
      }),
    ],
    [
      'Downgrade',
      unaryMethod(DowngradeRequest, async (request) => {
        const version = await downgrade(node, request)
        return frameOf(DowngradeResponse, {
          header: headers.message(node.currentRevision),
          version,
        })
      }),
    ],
  ])
}

/** @throws StoreError those of the door; WireError for an action that does not exist */
function downgrade({ downgrades }: StoreNode, request: DowngradeRequest): Promise<string> {
  switch (request.action) {
    case DowngradeRequest_DowngradeAction.VALIDATE:
      return downgrades.validate(request.version)
    case DowngradeRequest_DowngradeAction.ENABLE:
      return downgrades.enable(request.version)
    case DowngradeRequest_DowngradeAction.CANCEL:
      return downgrades.cancel()
    default:
      throw new WireError('unknown', 'etcdserver: unknown method')
  }
}

/** @throws StoreError `notLeader`, `badLeaderTransferee`, `leaderTransferTimeout` */
async function moveLeader(
  node: StoreNode,
  target: NodeId,
  cancellation: CallContext,
): Promise<void> {
  // To the node, 0 means: whoever suits best. A client has to say whom it means.
  if (target === 0n) {
    throw new StoreError(node.leaderId === node.memberId ? 'badLeaderTransferee' : 'notLeader')
  }
  await node.transferLeadership(target, { cancellation })
}

/** Learners answer it too. */
function statusMethod(node: StoreNode, headers: ResponseHeaders): RpcMethod {
  return unaryMethod(
    StatusRequest,
    () => Promise.resolve(frameOf(StatusResponse, statusMessage(node, headers))),
    () => true,
  )
}

function statusMessage(node: StoreNode, headers: ResponseHeaders): StatusResponse {
  const status = node.status()
  return {
    header: headers.message(status.revision),
    version: status.version,
    dbSize: BigInt(status.dbSizeBytes),
    leader: status.leader,
    raftIndex: BigInt(status.raftIndex),
    raftTerm: BigInt(status.raftTerm),
    raftAppliedIndex: BigInt(status.raftAppliedIndex),
    errors: [...status.errors],
    dbSizeInUse: BigInt(status.dbSizeInUseBytes),
    isLearner: status.isLearner,
    storageVersion: status.storageVersion,
    dbSizeQuota: BigInt(status.dbQuotaBytes),
    downgradeInfo: {
      enabled: status.downgradeTarget !== '',
      targetVersion: status.downgradeTarget,
    },
  }
}

/** A revision above what a number holds exactly lies in the future of every store. */
function revisionOf(revision: bigint): number {
  if (revision > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new StoreError('futureRevision', { requested: revision })
  }
  return revision < 0n ? -1 : Number(revision)
}

/** etcd crashes on values it does not know; here they are refused before they reach the log. */
function checkAlarm(request: AlarmRequest): void {
  if (
    !Object.values<number>(AlarmRequest_AlarmAction).includes(request.action) ||
    request.action < 0
  ) {
    throw new WireError('invalidArgument', `unknown alarm action ${request.action}`)
  }
  if (!Object.values<number>(AlarmType).includes(request.alarm) || request.alarm < 0) {
    throw new WireError('invalidArgument', `unknown alarm type ${request.alarm}`)
  }
}

function alarmTypeOf({ alarm }: Alarm): AlarmType {
  switch (alarm) {
    case 'noSpace':
      return AlarmType.NOSPACE
    case 'corrupt':
      return AlarmType.CORRUPT
    default:
      return assertNever(alarm, 'alarm')
  }
}
