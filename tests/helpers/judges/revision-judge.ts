/**
 * The first judge for histories of real processes: by revision, in O(n log n).
 *
 * Answers carry the revision, so the order of the writes is known and need only be checked. There is no log to look into: a
 * revision that no acknowledged write explains must have been told by a watch, and be the doing of a write with unknown
 * outcome or the end of one lease. All are replayed in their order through a model of the store; every answer must be the
 * model's, and real time is respected.
 */
import { latin1Of } from '../../../src/core/base/bytes.ts'
import { InternalRaftRequest } from '../../../src/core/proto/gen/raft_internal.ts'
import type { RequestOp, TxnRequest } from '../../../src/core/proto/gen/rpc.ts'
import type { Report } from '../../simulation/checkers/checker.ts'
import {
  describe,
  hasWritten,
  judgeReadsAndTimes,
  sameAnswer,
  textOf,
} from '../../simulation/checkers/linearizability.ts'
import type { OperationRecord, WatchedEvent } from '../../simulation/harness/history.ts'
import { boundsOf, StoreModel, type PlainEvent } from '../../simulation/harness/store-model.ts'
import type { ClientHistory } from './client-history.ts'

const name = 'revision judge'

/**
 * Judges all operations of a history that begins with an empty store.
 *
 * @returns the model after the last revision that anybody saw, for the watch judge
 */
export function judgeHistory(history: ClientHistory, report: Report): StoreModel {
  const replay = new Replay(history, report)
  if (!replay.run()) return replay.model
  judgeReadsAndTimes(
    history.operations,
    { model: replay.model, startOfRevision: replay.startOfRevision },
    report,
  )
  judgeLast(history.operations, replay.model, report)
  return replay.model
}

/** No answer shows a revision behind the last one that anything is known of. */
function judgeLast(
  operations: readonly OperationRecord[],
  model: StoreModel,
  report: Report,
): void {
  for (const operation of operations) {
    const { outcome } = operation
    if (outcome.kind !== 'ok' || outcome.answer.kind === 'refused') continue
    if (outcome.answer.revision <= model.revision) continue
    report(name, `${describe(operation)} shows ${outcome.answer.revision}, which nothing explains`)
    return
  }
}

/** A lease in decimal, or a delete of unknown outcome. */
type Cause = string | OperationRecord

class Replay {
  readonly model = new StoreModel()
  /** When the write of each revision began. */
  readonly startOfRevision = new Map<number, number>()
  private readonly history: ClientHistory
  private readonly report: Report
  /** Acknowledged operations that made a revision, by it. */
  private readonly writes = new Map<number, OperationRecord>()
  /** Acknowledged transactions that made none, by the revision they saw. */
  private readonly readTransactions = new Map<number, OperationRecord[]>()
  private readonly events: ReadonlyMap<number, readonly WatchedEvent[]>
  private readonly unknownOfValue = new Map<string, OperationRecord>()
  private readonly unknownDeletes: OperationRecord[] = []
  /** What may have made a revision that only deletes. */
  private readonly causes = new Map<number, readonly Cause[]>()
  /** Which revision each of these made: one each. */
  private readonly revisionOfCause = new Map<Cause, number>()

  constructor(history: ClientHistory, report: Report) {
    this.history = history
    this.report = report
    this.events = eventsByRevision(history)
    for (const operation of history.operations) this.sort(operation)
  }

  /** Whether the replay reached the last revision that anybody saw. */
  run(): boolean {
    this.readAt(this.model.revision)
    const last = Math.max(1, latest(this.writes.keys()), latest(this.events.keys()))
    while (this.model.revision < last) {
      const revision = this.model.revision + 1
      const write = this.writes.get(revision)
      const isExplained = write === undefined ? this.resolve(revision) : this.acknowledge(write)
      if (!isExplained) return false
      if (this.model.revision !== revision) {
        this.report(name, `the write of revision ${revision} changes nothing in the model`)
        return false
      }
      this.readAt(revision)
    }
    this.judgeLeaseEndings()
    return true
  }

  private sort(operation: OperationRecord): void {
    const { outcome, request } = operation
    if (request.kind === 'range') return
    if (request.kind === 'compact') {
      // Unknown ones may have happened.
      if (outcome.kind !== 'failed') {
        const revision = Number(request.body.revision)
        this.model.compactedRevision = Math.max(this.model.compactedRevision, revision)
      }
      return
    }
    if (outcome.kind === 'unknown') {
      for (const value of valuesOf(operation)) this.unknownOfValue.set(value, operation)
      if (request.kind === 'deleteRange') this.unknownDeletes.push(operation)
      return
    }
    if (outcome.kind === 'failed' || outcome.answer.kind === 'refused') return
    const { revision } = outcome.answer
    if (!hasWritten(operation)) {
      const others = this.readTransactions.get(revision)
      if (others === undefined) this.readTransactions.set(revision, [operation])
      else others.push(operation)
      return
    }
    const other = this.writes.get(revision)
    if (other === undefined) this.writes.set(revision, operation)
    else this.report(name, `${describe(operation)} has the revision of ${describe(other)}`)
  }

  private acknowledge(write: OperationRecord): boolean {
    this.startOfRevision.set(this.model.revision + 1, write.startUs)
    this.answer(write)
    return true
  }

  /** Transactions that wrote nothing saw the state just behind the revision in their header. */
  private readAt(revision: number): void {
    for (const operation of this.readTransactions.get(revision) ?? []) {
      this.answer(operation)
      if (this.model.revision !== revision) {
        this.report(name, `${describe(operation)} wrote, and its answer says that it did not`)
        return
      }
    }
  }

  private answer(operation: OperationRecord): void {
    const expected = this.model.apply(requestOf(operation))
    const { outcome } = operation
    if (outcome.kind !== 'ok' || expected === undefined) return
    if (!sameAnswer(expected, outcome.answer)) {
      this.report(
        name,
        `${describe(operation)} was answered ${textOf(outcome.answer)}; the model has ${textOf(expected)}`,
      )
    }
  }

  /** Finds what made a revision that nobody got an answer for. */
  private resolve(revision: number): boolean {
    const events = this.events.get(revision)
    if (events === undefined) {
      this.report(name, `revision ${revision}: nobody was told of it, and later ones exist`)
      return false
    }
    const before = this.model.events.length
    const write = this.unknownWriteOf(events)
    if (write !== undefined) {
      this.startOfRevision.set(revision, write.startUs)
      for (const value of valuesOf(write)) this.unknownOfValue.delete(value)
      this.model.apply(requestOf(write))
    } else if (this.findCause(revision, events)) {
      this.model.deleteKeys(events.map(({ key }) => key))
    } else {
      this.report(name, `revision ${revision} (${eventTexts(events)}) was asked for by nobody`)
      return false
    }
    const made = eventTexts(this.model.events.slice(before))
    if (made !== eventTexts(events)) {
      this.report(name, `revision ${revision} was told as ${eventTexts(events)}, and is ${made}`)
    }
    return true
  }

  private unknownWriteOf(events: readonly WatchedEvent[]): OperationRecord | undefined {
    for (const { pair } of events) {
      const operation = pair && this.unknownOfValue.get(pair.value)
      if (operation !== undefined) return operation
    }
    return undefined
  }

  /**
   * Finds an unknown delete or a lease that explains a revision of deletes only. Several may fit; what each of them did is
   * the same, but each did it once, so earlier revisions may have to take another one (augmenting paths, as Kuhn).
   */
  private findCause(revision: number, events: readonly WatchedEvent[]): boolean {
    if (events.some(({ kind }) => kind === 'put')) return false
    const keys = textOfKeys(events.map(({ key }) => key))
    const fits = (found: Iterable<string>): boolean => textOfKeys([...found]) === keys
    const deletes = this.unknownDeletes.filter(({ request }) => {
      if (request.kind !== 'deleteRange') return false
      const bounds = boundsOf(request.body.key, request.body.rangeEnd)
      return fits(this.model.pairsAt(bounds, this.model.revision).map(({ key }) => key))
    })
    const leases = [...this.model.attachments].filter(([, attached]) => fits(attached))
    const causes = [...leases.map(([lease]) => lease), ...deletes]
    this.causes.set(revision, causes)
    if (leases.length === 0 && deletes.length > 0) {
      this.startOfRevision.set(revision, Math.min(...deletes.map(({ startUs }) => startUs)))
    }
    return this.assign(revision, new Set())
  }

  private assign(revision: number, tried: Set<Cause>): boolean {
    for (const cause of this.causes.get(revision) ?? []) {
      if (tried.has(cause)) continue
      tried.add(cause)
      const other = this.revisionOfCause.get(cause)
      if (other === undefined || this.assign(other, tried)) {
        this.revisionOfCause.set(cause, revision)
        return true
      }
    }
    return false
  }

  /** Whoever was told that a lease is revoked sees none of its keys any more. */
  private judgeLeaseEndings(): void {
    for (const { lease, revision } of this.history.leaseEndings) {
      const ended = this.revisionOfCause.get(lease)
      const isStillHeld = this.model.attachments.has(lease)
      if (revision === undefined || (ended !== undefined && ended <= revision)) continue
      if (ended !== undefined || isStillHeld) {
        this.report(
          name,
          `lease ${lease} was revoked at ${revision}, and its keys were there until ${ended ?? 'the end'}`,
        )
      }
    }
  }
}

/** What all watches together tell of each revision. */
function eventsByRevision(history: ClientHistory): ReadonlyMap<number, readonly WatchedEvent[]> {
  const found = new Map<number, Map<string, WatchedEvent>>()
  const streams = history.watches.flatMap((watch) => watch.streams)
  for (const { events } of streams.flatMap(({ messages }) => messages)) {
    for (const event of events) {
      const ofRevision = found.get(event.revision)
      if (ofRevision === undefined) found.set(event.revision, new Map([[event.key, event]]))
      else ofRevision.set(event.key, event)
    }
  }
  return new Map([...found].map(([revision, events]) => [revision, [...events.values()]]))
}

function latest(revisions: Iterable<number>): number {
  let last = 0
  for (const revision of revisions) last = Math.max(last, revision)
  return last
}

/** The values that an operation may write; each is written by one operation only. */
function valuesOf({ request }: OperationRecord): readonly string[] {
  if (request.kind === 'put') return [latin1Of(request.body.value)]
  return request.kind === 'txn' ? valuesOfTransaction(request.body) : []
}

function valuesOfTransaction({ success, failure }: TxnRequest): readonly string[] {
  return [...success, ...failure].flatMap(valuesOfOperation)
}

function valuesOfOperation({ request }: RequestOp): readonly string[] {
  if (request?.$case === 'requestPut') return [latin1Of(request.value.value)]
  return request?.$case === 'requestTxn' ? valuesOfTransaction(request.value) : []
}

function requestOf({ request }: OperationRecord): InternalRaftRequest {
  switch (request.kind) {
    case 'put':
      return InternalRaftRequest.fromPartial({ put: request.body })
    case 'deleteRange':
      return InternalRaftRequest.fromPartial({ deleteRange: request.body })
    case 'txn':
      return InternalRaftRequest.fromPartial({ txn: request.body })
    case 'range':
    case 'compact':
      throw new Error('ranges and compactions make no revision')
  }
}

function textOfKeys(keys: readonly string[]): string {
  return JSON.stringify([...keys].sort())
}

function eventTexts(events: readonly Pick<PlainEvent, 'kind' | 'key' | 'pair'>[]): string {
  return events
    .map(({ kind, key, pair }) => `${kind} ${key}=${pair?.value ?? ''}`)
    .sort()
    .join(', ')
}
