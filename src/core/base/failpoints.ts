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
  'raftBeforeAdvance',
  'walBeforeSync',
  'walAfterSync',
  'beforeApplyOneEntryNormal',
  'beforeApplyOneConfChange',
  'beforePublishing',
  'beforeCommit',
  'afterCommit',
  'commitBeforePreCommitHook',
  'commitAfterPreCommitHook',
  'compactBeforeSetFinishedCompact',
  'compactAfterSetFinishedCompact',
  'compactBeforeCommitBatch',
  'defragBeforeCopy',
  'defragBeforeRename',
] as const

export type FailpointName = (typeof failpointNames)[number]

let reach: ((name: FailpointName) => void) | undefined

/** From now on, places that are passed are told. @param onReach  undefined: no more */
export function armFailpoints(onReach: ((name: FailpointName) => void) | undefined): void {
  reach = onReach
}

/** This place is passed. */
export function failpoint(name: FailpointName): void {
  reach?.(name)
}
