/**
 * Places at which a test may stop, delay or end the process: `failpoint('raftBeforeSave')`.
 *
 * Nothing happens at them unless a process was started to be tested, which hands in what is to happen. Names are those that
 * etcd has for the same place in the flow, so that tests written for it find it.
 */

/** Every place there is. */
export const failpointNames = [
  'raftBeforeLeaderSend',
  'raftBeforeFollowerSend',
  'raftBeforeSave',
  'raftAfterSave',
  'raftBeforeSaveSnap',
  'raftAfterSaveSnap',
  'raftBeforeApplySnap',
  'raftAfterApplySnap',
  'raftAfterWALRelease',
  'raftDropHeartbeat',
  'raftBeforeWALSaveSnaphot',
  'raftBeforeAdvance',
  'walBeforeSync',
  'walAfterSync',
  'beforeApplyOneEntryNormal',
  'beforeApplyOneConfChange',
  'applyBeforeOpenSnapshot',
  'applyAfterOpenSnapshot',
  'beforePublishing',
  'afterIsMemberExist',
  'beforeCommit',
  'afterCommit',
  'beforeStartDBTxn',
  'afterStartDBTxn',
  'beforeWritebackBuf',
  'afterWritebackBuf',
  'commitBeforePreCommitHook',
  'commitAfterPreCommitHook',
  'compactBeforeSetFinishedCompact',
  'compactAfterSetFinishedCompact',
  'compactBeforeCommitScheduledCompact',
  'compactAfterCommitScheduledCompact',
  'compactBeforeCommitBatch',
  'compactAfterCommitBatch',
  'compactAfterAcquiredBatchTxLock',
  'defragBeforeCopy',
  'defragBeforeRename',
  'defragOpenFileError',
  'defragdbFail',
  'beforeSendWatchResponse',
  'beforeSyncWatchers',
  'beforeMoveVictims',
  'beforeProgressIfSync',
  'beforeCheckpointInLeaseRenew',
  'beforeServeHTTPLeaseRenew',
  'beforeLookupWhenLeaseTimeToLive',
  'beforeLookupWhenForwardLeaseTimeToLive',
  'beforeRangeStreamChunk',
] as const

export type FailpointName = (typeof failpointNames)[number]

/** What is to happen at a place. */
export interface ReachedFailpoint {
  /** The place is to do as if what it does had failed, with this text. */
  readonly failure?: string
  /** The place is to wait so long, if it can, for this; otherwise the process is held by {@link hold}. */
  readonly pause?: { wait(): Promise<void>; hold(): void }
}

let reach: ((name: FailpointName) => ReachedFailpoint | undefined) | undefined

/** From now on, places that are passed are told. @param onReach  undefined: no more */
export function armFailpoints(
  onReach: ((name: FailpointName) => ReachedFailpoint | undefined) | undefined,
): void {
  reach = onReach
}

/** This place is passed. @returns text of a failure that the place is to answer with, where it has one */
export function failpoint(name: FailpointName): string | undefined {
  const reached = reach?.(name)
  reached?.pause?.hold()
  return reached?.failure
}

/** As {@link failpoint}, where the rest of the process may go on meanwhile. Undefined: there is nothing to wait for. */
export function failpointPause(name: FailpointName): Promise<void> | undefined {
  return reach?.(name)?.pause?.wait()
}
