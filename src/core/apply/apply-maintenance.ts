/** Alarms, compaction, and the lowering of the cluster's version. Source: etcd v3 API, Maintenance and Compact. */
import type { BackendBatch } from '../backend/backend.ts'
import { nodeId } from '../base/ids.ts'
import type { ClusterVersion } from '../membership/cluster-version.ts'
import type { MvccStore } from '../mvcc/mvcc-store.ts'
import type { DowngradeInfoSetRequest } from '../proto/gen/membership.ts'
import {
  AlarmRequest_AlarmAction,
  type AlarmRequest,
  type CompactionRequest,
} from '../proto/gen/rpc.ts'
import { alarmKindOf, type AlarmStore } from './alarm-store.ts'
import type { Alarm, CompactResult } from './apply-result.ts'
import { clampToSafe } from './safe-number.ts'

/**
 * Lists, raises or clears alarms.
 *
 * An alarm of kind NONE, an unknown kind or an unknown action has no effect: requests with these are refused before they
 * are proposed, but the log may hold one that an older etcd let in.
 * @returns listing: all that match; otherwise those affected
 */
export function applyAlarm(
  alarms: AlarmStore,
  batch: BackendBatch,
  request: AlarmRequest,
): readonly Alarm[] {
  const kind = alarmKindOf(request.alarm)
  switch (request.action) {
    case AlarmRequest_AlarmAction.GET:
      return alarms.list(kind)
    case AlarmRequest_AlarmAction.ACTIVATE: {
      if (kind === undefined) return []
      const alarm: Alarm = { memberId: nodeId(request.memberID), alarm: kind }
      alarms.raise(batch, alarm)
      return [alarm]
    }
    case AlarmRequest_AlarmAction.DEACTIVATE: {
      if (kind === undefined) return []
      const alarm: Alarm = { memberId: nodeId(request.memberID), alarm: kind }
      return alarms.clear(batch, alarm) ? [alarm] : []
    }
    default:
      return []
  }
}

/** Begins, or ends, the lowering of the cluster's version. */
export function applyDowngrade(
  clusterVersion: ClusterVersion,
  batch: BackendBatch,
  request: DowngradeInfoSetRequest,
): void {
  clusterVersion.setDowngrade(batch, request.enabled ? { targetVersion: request.ver } : undefined)
}

/** Records a compaction; superseded revisions go in the background. @throws StoreError `compacted`, `futureRevision` */
export function applyCompaction(
  store: MvccStore,
  batch: BackendBatch,
  request: CompactionRequest,
): Pick<CompactResult, 'kind'> {
  store.scheduleCompaction(batch, clampToSafe(request.revision))
  return { kind: 'compact' }
}
