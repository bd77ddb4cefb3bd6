/**
 * What to do at a start when the database has applied more than the log holds.
 *
 * The problem: the log is the commit point and is synced first, so a log that ends before the applied index has lost bytes
 * that were promised: a disk that lied about a sync, or a tail that was torn after the fact. Going on as if nothing were
 * would number new entries from the end of the log, at indexes the database has seen already, and skip their effects.
 *
 * The plain idea: what the database applied was committed, so the database is a snapshot at its applied index, with the
 * term and the configuration it stores itself. The log is made to begin right behind it, durably, as after a snapshot
 * received from a peer. Example: the database has applied 120, the log ends at 118; from now on the log begins with
 * "snapshot at 120", commit is 120 and the next entry is 121.
 *
 * Why this is safe:
 *
 * - Nothing is taken back: every entry up to the applied index is committed, and its effects are in the database. Entries
 *   that the log still holds up to there agree with them or were overwritten; none is needed any more.
 * - Nothing false is said: the node vouches for its log up to the applied index, and it has that state.
 * - The term never falls below that of the last applied entry. A vote given in that very term may be forgotten with the
 *   tail, but cannot be given twice with effect: a second candidate of that term holds no entry of it (it would have
 *   followed the leader who wrote it), so its log is older than ours and is refused.
 * - What lay behind the applied index in the lost tail is gone, as with every torn tail. Nobody can contradict a node that
 *   votes alone. One voter of several may have vouched for it to a leader; if others lose it as well, a committed entry is
 *   lost. So that is borne only where it cannot be told from an ordinary torn tail: when this tail shows the tear. A log
 *   of one of several voters that simply ends early is no crash but an old copy, and is refused: that member is removed
 *   and added again, and gets everything from the others.
 *
 * The same holds when the log reaches the applied index with an entry of an *older* term: the tail that replaced it is lost.
 */
import { readAppliedState, writeAppliedState, type AppliedState } from '../apply/applied-index.ts'
import type { Backend } from '../backend/backend.ts'
import { emptyBytes } from '../base/bytes.ts'
import { noNode } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import { StorageFault } from '../errors/storage-fault.ts'
import type { FileSystem } from '../io/file-system.ts'
import type { ConfState, HardState, Snapshot } from '../raft/message.ts'
import { saveSnapshotFile } from '../wal/snapshot-file.ts'
import type { WalContents } from '../wal/write-ahead-log.ts'

/** What a restart has read so far. */
export interface RecoveredParts {
  /** The newest snapshot that the log names; undefined: the log begins at the beginning. */
  readonly snapshot: Snapshot | undefined
  readonly contents: WalContents
  readonly backend: Backend
}

export interface AdoptionPlace {
  readonly fileSystem: FileSystem
  readonly logger: Logger
  readonly walDirectory: string
  readonly snapshotDirectory: string
}

/**
 * Gives back what it was given, made durable, when the log reaches the applied index. Otherwise makes the log begin behind the database,
 * see the head of this file; durable when it resolves, and done again by the next start when the process dies before.
 *
 * @throws StorageFault when the log and the database do not belong together
 */
export async function reconcileLogWithDatabase(
  place: AdoptionPlace,
  parts: RecoveredParts,
): Promise<RecoveredParts> {
  const applied = readAppliedState(parts.backend)
  const lack = lackOf(applied, parts)
  if (lack === undefined) {
    // Snapshots will be recorded on the strength of what the database holds.
    if (applied.index > 0) await makeDurable(parts.backend, applied)
    return parts
  }
  const { confState } = applied
  if (confState === undefined || !isBearable(lack, confState, parts.contents)) {
    throw new StorageFault(lack.reason, { path: place.walDirectory })
  }
  place.logger.warn(
    'the log lost entries that the database has applied; it begins anew behind the database',
    { lack: lack.reason, appliedIndex: applied.index, appliedTerm: applied.term },
  )
  return begunAnew(place, parts, { ...applied, confState })
}

/** How the log falls short of what is applied. */
interface Lack {
  readonly reason: string
  /** Whether a lost tail explains it; otherwise the log and the database are of different histories. */
  readonly isLostTail: boolean
}

function lackOf(applied: AppliedState, { contents, snapshot }: RecoveredParts): Lack | undefined {
  const { index } = applied
  const snapshotIndex = snapshot?.metadata.index ?? 0
  const lastIndex = snapshotIndex + contents.entries.length
  if (index > lastIndex) {
    const reason = `the log ends at index ${lastIndex}, before index ${index} that the database has applied`
    return { reason, isLostTail: true }
  }
  // Undefined where the log begins behind the applied index or at it: it says nothing about that entry then.
  const term = contents.entries[index - snapshotIndex - 1]?.term
  if (term === undefined || term === applied.term) return undefined
  const isCommittedThere = (contents.hardState?.commit ?? 0) >= index
  return {
    reason: `the log has term ${term} at index ${index}, where the database has applied term ${applied.term}`,
    isLostTail: term < applied.term && !isCommittedThere,
  }
}

function isBearable(lack: Lack, confState: ConfState, contents: WalContents): boolean {
  if (!lack.isLostTail) return false
  const voters = new Set([...confState.voters, ...confState.votersOutgoing])
  const isAlone = voters.size === 1 && voters.has(contents.metadata.nodeId)
  return isAlone || contents.isTailRepaired
}

async function begunAnew(
  place: AdoptionPlace,
  parts: RecoveredParts,
  applied: AppliedState & { readonly confState: ConfState },
): Promise<RecoveredParts> {
  const { backend, contents } = parts
  const { index, term, confState } = applied
  await makeDurable(backend, applied)
  const metadata = { index, term, confState }
  const snapshot: Snapshot = { metadata, data: emptyBytes }
  const hardState = coveringHardState(contents.hardState, applied)
  // File, marker, hard state: the marker counts only together with the state that covers it.
  await saveSnapshotFile(place.fileSystem, place.snapshotDirectory, snapshot)
  await contents.log.saveSnapshotMarker(metadata)
  await contents.log.save(hardState, [], { mustSync: true })
  contents.log.releaseTo(index)
  const snapshotMarkers = [...contents.snapshotMarkers, metadata]
  return { backend, snapshot, contents: { ...contents, hardState, entries: [], snapshotMarkers } }
}

/**
 * What is read at a start may have been written by a process that died before its sync, and the log is about to rely on
 * it. LMDB syncs only with a write, so the same state is written once more.
 */
async function makeDurable(backend: Backend, applied: AppliedState): Promise<void> {
  const batch = backend.beginBatch()
  writeAppliedState(batch, applied)
  backend.commitBatch(batch)
  await backend.flush()
}

function coveringHardState(stored: HardState | undefined, applied: AppliedState): HardState {
  const { index, term } = applied
  if (stored === undefined || stored.term < term) return { term, vote: noNode, commit: index }
  return { ...stored, commit: Math.max(stored.commit, index) }
}
