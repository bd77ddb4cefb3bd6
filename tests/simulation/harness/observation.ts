/** All checkers that watch a run while it happens, and how what is seen reaches them. */
import { latin1Of } from '../../../src/core/base/bytes.ts'
import { readUint64, metaKeys } from '../../../src/core/backend/buckets.ts'
import { equalBytes } from '../../../src/core/base/bytes.ts'
import type { NodeId } from '../../../src/core/base/ids.ts'
import type { Message } from '../../../src/core/raft/message.ts'
import { appliedIndexAtomic } from '../checkers/applied-index-atomic.ts'
import { appliedOnce, type AppliedOnce } from '../checkers/applied-once.ts'
import type { Checker, ObservedAnswer, ObservedNode, Report } from '../checkers/checker.ts'
import { commitBound } from '../checkers/commit-bound.ts'
import { CommittedLog } from '../checkers/committed-log.ts'
import { currentTermCommit } from '../checkers/current-term-commit.ts'
import { leaderCompleteness } from '../checkers/leader-completeness.ts'
import { logCoversBackend } from '../checkers/log-covers-backend.ts'
import { logMatching } from '../checkers/log-matching.ts'
import { monotonicHardState } from '../checkers/monotonic-hard-state.ts'
import { oneLeaderPerTerm } from '../checkers/one-leader-per-term.ts'
import { persistBeforeSpeak } from '../checkers/persist-before-speak.ts'
import { sameApply } from '../checkers/same-apply.ts'
import { DurableLog } from './durable-log.ts'
import type { SimDisk } from './sim-disk.ts'
import type { BackendChange, SimBackend } from './sim-backend.ts'

/** Markers look like `#3.17#`: client, number. */
const markerPattern = /#\d+\.\d+#/g

export class Observation {
  readonly nodes: readonly ObservedNode[]
  readonly committed: CommittedLog
  readonly applied: AppliedOnce
  private readonly checkers: readonly Checker[]
  private readonly byId: ReadonlyMap<NodeId, ObservedNode>
  private readonly appliedIndexes = new Map<NodeId, number>()
  private readonly notes: Pick<ReturnType<typeof persistBeforeSpeak>, 'marked'>

  constructor(
    members: readonly { readonly id: NodeId; readonly name: string; readonly isVoter: boolean }[],
    report: Report,
    flushedIndexOf: (node: ObservedNode) => number,
  ) {
    const matching = logMatching(report)
    this.nodes = members.map((member) => {
      const node: ObservedNode = {
        ...member,
        incarnation: 0,
        log: new DurableLog({
          entry: (entry, previousTerm) => {
            this.committed.note(entry, previousTerm)
            matching.logged(entry, previousTerm, node)
            for (const [marker] of latin1Of(entry.data).matchAll(markerPattern))
              this.notes.marked(marker, entry)
          },
          hardState: (state) => {
            for (const checker of this.checkers) checker.hardState?.(state, node)
          },
          reread: () => {
            for (const checker of this.checkers) checker.reread?.(node)
          },
        }),
      }
      return node
    })
    this.byId = new Map(this.nodes.map((node) => [node.id, node]))
    this.committed = new CommittedLog(this.nodes, report, members.length)
    this.applied = appliedOnce(report)
    const speaking = persistBeforeSpeak(this.nodes, report)
    this.notes = speaking
    this.checkers = [
      // In the order in which a mistake shows: what was said too early, before what came of it.
      speaking,
      oneLeaderPerTerm(report),
      matching,
      leaderCompleteness(this.committed, report),
      monotonicHardState(report),
      currentTermCommit(this.committed, report),
      appliedIndexAtomic(this.committed, report),
      commitBound(this.committed, report),
      sameApply(this.committed, report),
      this.applied,
      logCoversBackend(flushedIndexOf, report),
    ]
  }

  find(id: NodeId): ObservedNode {
    return this.byId.get(id)!
  }

  sent(message: Message, id: NodeId): void {
    for (const checker of this.checkers) checker.sent?.(message, this.find(id))
  }

  answered(answer: ObservedAnswer): void {
    for (const checker of this.checkers) checker.answered?.(answer)
  }

  /** Durable bytes changed; reads the log again where it did. */
  synced(id: NodeId, disk: SimDisk, logDirectory: string): void {
    const node = this.find(id)
    const directory = disk.findDurable(logDirectory)
    node.log.update(directory?.kind === 'directory' ? directory : undefined)
    for (const checker of this.checkers) checker.synced?.(node)
  }

  /** A new life begins on what the crash has left. */
  started(id: NodeId, disk: SimDisk, logDirectory: string): void {
    const node = this.find(id)
    node.incarnation += 1
    node.log.forget()
    this.appliedIndexes.delete(id)
    this.synced(id, disk, logDirectory)
    for (const checker of this.checkers) checker.started?.(node)
  }

  opened(id: NodeId, backend: SimBackend): void {
    const index = backend.appliedIndex()
    this.appliedIndexes.set(id, index)
    this.applied.opened({ index, revision: revisionOf(backend) }, this.find(id))
  }

  batch(id: NodeId, changes: readonly BackendChange[]): void {
    const indexBefore = this.appliedIndexes.get(id) ?? 0
    const stored = changes.findLast(
      (change) => change.bucket === 'meta' && equalBytes(change.key, metaKeys.consistentIndex),
    )
    const indexAfter = stored?.value === undefined ? indexBefore : readUint64(stored.value, 0)
    this.appliedIndexes.set(id, indexAfter)
    for (const checker of this.checkers)
      checker.batch?.({ changes, indexBefore, indexAfter }, this.find(id))
  }
}

/** The newest revision in a database. */
function revisionOf(backend: SimBackend): number {
  let revision = 1
  for (const { key } of backend.scan('key', { isReverse: true })) {
    revision = readUint64(key, 0)
    break
  }
  const compacted = backend.get('meta', metaKeys.scheduledCompactRevision)
  return compacted === undefined ? revision : Math.max(revision, readUint64(compacted, 0))
}
