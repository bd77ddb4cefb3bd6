/**
 * The first judge: by revision.
 *
 * Answers carry the store's revision, so the order of operations need not be searched, only checked. The committed log is
 * replayed through a model of the store written apart from the product; then
 *
 * 1. every acknowledged write must have its entry in the log, with the answer that the model gives there;
 * 2. every entry must be explained by a write that was acknowledged or whose outcome is unknown (I14), and a write that was
 *    refused must have none;
 * 3. every read must be the model's answer at its revision;
 * 4. an operation that began after another ended must not be ordered before it (I19): the revision of a read is at least
 *    that of every write acknowledged before it began, and nothing shows a write that had not begun when it ended;
 * 5. what one member shows to one life of it never goes back, also for serializable reads.
 */
import { InternalRaftRequest } from '../../../src/core/proto/gen/raft_internal.ts'
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  TxnRequest,
} from '../../../src/core/proto/gen/rpc.ts'
import { latin1Of } from '../../../src/core/base/bytes.ts'
import type { OperationRecord } from '../harness/history.ts'
import type { LoggedEntry } from '../harness/durable-log.ts'
import { StoreModel, type PlainAnswer } from '../harness/store-model.ts'
import type { Report } from './checker.ts'

/** A log entry that asks for something a client asks for, with what the model makes of it. */
export interface JudgedEntry {
  readonly index: number
  readonly request: InternalRaftRequest
  readonly answer: PlainAnswer
  /** Revision of the store after the entry. */
  readonly revision: number
  /** The same text for equal requests. */
  readonly content: string
}

/** The model after the whole log, and what each entry did. */
export interface ReplayedLog {
  readonly model: StoreModel
  readonly entries: readonly JudgedEntry[]
  /** Revision after each index, from index 1. */
  readonly revisions: readonly number[]
}

/** Replays the committed log through the model. */
export function replayLog(log: readonly LoggedEntry[]): ReplayedLog {
  const model = new StoreModel()
  const entries: JudgedEntry[] = []
  const revisions: number[] = []
  for (const entry of log) {
    if (entry.type === 0 && entry.data.length > 0) {
      const request = InternalRaftRequest.decode(entry.data)
      const answer = model.apply(request)
      if (answer !== undefined) {
        entries.push({
          index: entry.index,
          request,
          answer,
          revision: model.revision,
          content: contentOf(request),
        })
      }
    }
    revisions.push(model.revision)
  }
  return { model, entries, revisions }
}

/** Judges all operations of a run. */
export function judgeOperations(
  operations: readonly OperationRecord[],
  replayed: ReplayedLog,
  report: Report,
): void {
  judgeWrites(operations, replayed, report)
  judgeReadsAndTimes(
    operations,
    { model: replayed.model, startOfRevision: startsOfRevisions(operations, replayed.entries) },
    report,
  )
}

/** The rules 3 to 5, which need no log: only the model, and when the write of each revision began, where that is known. */
export function judgeReadsAndTimes(
  operations: readonly OperationRecord[],
  known: { readonly model: StoreModel; readonly startOfRevision: ReadonlyMap<number, number> },
  report: Report,
): void {
  judgeReads(operations, known.model, report)
  judgeRefusals(operations, known.model, report)
  judgeRealTime(operations, known.startOfRevision, report)
  judgeMemberOrder(operations, report)
}

const writesName = 'first judge: writes'

function judgeWrites(
  operations: readonly OperationRecord[],
  { entries }: ReplayedLog,
  report: Report,
): void {
  const unexplained = new Map<string, JudgedEntry[]>()
  for (const entry of entries) {
    const same = unexplained.get(entry.content)
    if (same === undefined) unexplained.set(entry.content, [entry])
    else same.push(entry)
  }
  for (const operation of operations) {
    if (operation.outcome.kind !== 'ok' || operation.request.kind === 'range') continue
    const { answer } = operation.outcome
    const content = contentOfRequest(operation)
    const candidates = unexplained.get(content) ?? []
    const position = candidates.findIndex((entry) => sameAnswer(entry.answer, answer))
    if (position >= 0) candidates.splice(position, 1)
    else {
      const found = candidates
        .map((entry) => `index ${entry.index}: ${textOf(entry.answer)}`)
        .join('; ')
      report(
        writesName,
        `${describe(operation)} was answered ${textOf(answer)}, which no entry of the log explains (${found})`,
      )
    }
  }
  for (const operation of operations) {
    if (operation.outcome.kind === 'ok' || operation.request.kind === 'range') continue
    const candidates = unexplained.get(contentOfRequest(operation)) ?? []
    if (
      operation.outcome.kind === 'failed' &&
      operation.marker !== undefined &&
      candidates.length > 0
    ) {
      report(
        writesName,
        `${describe(operation)} was refused with ${operation.outcome.code}, and applied at index ${candidates[0]!.index}`,
      )
    }
    // One unknown write explains at most one entry.
    if (operation.outcome.kind === 'unknown' || operation.request.kind === 'compact')
      candidates.shift()
  }
  for (const rest of unexplained.values()) {
    const entry = rest[0]
    if (entry === undefined) continue
    report(
      'I14 no unexplained revision',
      `the entry ${entry.index} (${entry.content}) was asked for by nobody, or applied twice`,
    )
  }
}

function judgeReads(
  operations: readonly OperationRecord[],
  model: StoreModel,
  report: Report,
): void {
  for (const operation of operations) {
    const { outcome, request } = operation
    if (request.kind !== 'range' || outcome.kind !== 'ok') continue
    if (outcome.answer.kind !== 'range') {
      report('first judge: reads', `${describe(operation)} was answered ${textOf(outcome.answer)}`)
      continue
    }
    const expected = model.rangeAt(request.body, outcome.answer.revision)
    if (!sameAnswer(expected, outcome.answer)) {
      report(
        'first judge: reads',
        `${describe(operation)} was answered ${textOf(outcome.answer)}; the model has ${textOf(expected)}`,
      )
    }
  }
}

/** What is compacted is said to be, and nothing else is. */
function judgeRefusals(
  operations: readonly OperationRecord[],
  model: StoreModel,
  report: Report,
): void {
  let acknowledged = { revision: 0, endUs: Number.POSITIVE_INFINITY }
  const compactions = operations
    .filter((operation) => operation.request.kind === 'compact' && operation.outcome.kind === 'ok')
    .sort((left, right) => left.endUs - right.endUs)
  for (const operation of operations) {
    const { request, outcome } = operation
    if (request.kind !== 'range') continue
    const asked = Number(request.body.revision)
    if (
      outcome.kind === 'failed' &&
      outcome.code === 'compacted' &&
      asked >= model.compactedRevision
    ) {
      report(
        'first judge: refusals',
        `${describe(operation)} is called compacted; the compacted revision is ${model.compactedRevision}`,
      )
    }
    if (outcome.kind !== 'ok' || asked <= 0 || request.body.serializable) continue
    for (const compaction of compactions) {
      if (compaction.endUs >= operation.startUs) break
      if (compaction.request.kind !== 'compact') continue
      const revision = Number(compaction.request.body.revision)
      if (revision > acknowledged.revision) acknowledged = { revision, endUs: compaction.endUs }
    }
    if (acknowledged.endUs < operation.startUs && asked < acknowledged.revision) {
      report(
        'first judge: refusals',
        `${describe(operation)} is answered at ${asked}, though ${acknowledged.revision} was compacted before it began`,
      )
    }
  }
}

/** By sweep over starts and ends. */
function judgeRealTime(
  operations: readonly OperationRecord[],
  startOfRevision: ReadonlyMap<number, number>,
  report: Report,
): void {
  const ok = operations.filter((operation) => operation.outcome.kind === 'ok')
  const byEnd = [...ok].sort((left, right) => left.endUs - right.endUs)
  const byStart = [...ok].sort((left, right) => left.startUs - right.startUs)
  let highest = 0
  let highestOf: OperationRecord | undefined
  let ended = 0
  for (const operation of byStart) {
    for (
      let done = byEnd[ended];
      done !== undefined && done.endUs < operation.startUs;
      done = byEnd[++ended]
    ) {
      const shown = isSerializable(done) ? 0 : revisionShown(done)
      if (shown > highest) {
        highest = shown
        highestOf = done
      }
    }
    if (isSerializable(operation)) continue
    const revision = revisionShown(operation)
    const least = hasWritten(operation) ? highest + 1 : highest
    if (revision < least && highestOf !== undefined) {
      report(
        'I19 read currency',
        `${describe(operation)} shows revision ${revision}, and began after ${describe(highestOf)} had shown ${highest}`,
      )
    }
  }
  judgeFuture(ok, startOfRevision, report)
}

/** Nothing shows a revision, its own or one below, whose write had not begun when it ended. */
function judgeFuture(
  ok: readonly OperationRecord[],
  startOfRevision: ReadonlyMap<number, number>,
  report: Report,
): void {
  const starts = [...startOfRevision].sort(([left], [right]) => left - right)
  let latestStartUs = 0
  let included = 0
  for (const operation of [...ok].sort(
    (left, right) => revisionShown(left) - revisionShown(right),
  )) {
    const shown = revisionShown(operation)
    for (
      let next = starts[included];
      next !== undefined && next[0] <= shown;
      next = starts[++included]
    )
      latestStartUs = Math.max(latestStartUs, next[1])
    if (latestStartUs > operation.endUs) {
      report(
        'first judge: real time',
        `${describe(operation)} shows a revision whose write began later`,
      )
    }
  }
}

/** Whether an operation made a revision of its own, as its answer tells. */
export function hasWritten(operation: OperationRecord): boolean {
  return operation.outcome.kind === 'ok' && answerHasWritten(operation.outcome.answer)
}

function answerHasWritten(answer: PlainAnswer): boolean {
  switch (answer.kind) {
    case 'put':
      return true
    case 'deleteRange':
      return answer.deletedCount > 0
    case 'txn':
      return answer.answers.some(answerHasWritten)
    default:
      return false
  }
}

/** When the write of each revision began, where its marker tells. */
function startsOfRevisions(
  operations: readonly OperationRecord[],
  entries: readonly JudgedEntry[],
): ReadonlyMap<number, number> {
  const startOfContent = new Map<string, number>()
  for (const operation of operations) {
    if (operation.marker !== undefined)
      startOfContent.set(contentOfRequest(operation), operation.startUs)
  }
  const starts = new Map<number, number>()
  let before = 1
  for (const entry of entries) {
    const start = startOfContent.get(entry.content)
    if (start !== undefined && entry.revision > before) starts.set(entry.revision, start)
    before = entry.revision
  }
  return starts
}

function judgeMemberOrder(operations: readonly OperationRecord[], report: Report): void {
  // One client's operations on one life of one member follow each other; what they show must not go back.
  const lastShown = new Map<string, { revision: number; operation: OperationRecord }>()
  for (const operation of operations) {
    if (operation.outcome.kind !== 'ok' || operation.request.kind !== 'range') continue
    const key = `${operation.client}/${operation.life}`
    const last = lastShown.get(key)
    const revision = revisionShown(operation)
    if (last !== undefined && revision < last.revision) {
      report(
        'first judge: one member goes back',
        `${describe(operation)} shows ${revision} after ${describe(last.operation)} showed ${last.revision}`,
      )
    }
    lastShown.set(key, { revision, operation })
  }
}

function isSerializable(operation: OperationRecord): boolean {
  return operation.request.kind === 'range' && operation.request.body.serializable
}

function revisionShown(operation: OperationRecord): number {
  const { outcome } = operation
  return outcome.kind === 'ok' && 'revision' in outcome.answer ? outcome.answer.revision : 0
}

function contentOf(request: InternalRaftRequest): string {
  if (request.put !== undefined) return `put ${latin1Of(PutRequest.encode(request.put).finish())}`
  if (request.deleteRange !== undefined)
    return `delete ${latin1Of(DeleteRangeRequest.encode(request.deleteRange).finish())}`
  if (request.txn !== undefined) return `txn ${latin1Of(TxnRequest.encode(request.txn).finish())}`
  if (request.compaction !== undefined) return `compact ${request.compaction.revision}`
  return 'another request'
}

function contentOfRequest({ request }: OperationRecord): string {
  switch (request.kind) {
    case 'put':
      return `put ${latin1Of(PutRequest.encode(request.body).finish())}`
    case 'deleteRange':
      return `delete ${latin1Of(DeleteRangeRequest.encode(request.body).finish())}`
    case 'txn':
      return `txn ${latin1Of(TxnRequest.encode(request.body).finish())}`
    case 'compact':
      return `compact ${CompactionRequest.fromPartial(request.body).revision}`
    case 'range':
      return 'range'
  }
}

/** Answers as texts; what an answer leaves out of a nested header is left out of the comparison. */
export function textOf(answer: PlainAnswer): string {
  return JSON.stringify(comparable(answer, true))
}

/** Whether two answers tell the same; headers within transactions do not count. */
export function sameAnswer(left: PlainAnswer, right: PlainAnswer): boolean {
  return textOf(left) === textOf(right)
}

function comparable(answer: PlainAnswer, isOutermost: boolean): unknown {
  const revision = isOutermost && 'revision' in answer ? answer.revision : undefined
  switch (answer.kind) {
    case 'put':
      return { kind: answer.kind, revision, previous: answer.previous }
    case 'deleteRange':
      return {
        kind: answer.kind,
        revision,
        deletedCount: answer.deletedCount,
        previous: answer.previous,
      }
    case 'range':
      return {
        kind: answer.kind,
        revision,
        pairs: answer.pairs,
        count: answer.count,
        hasMore: answer.hasMore,
      }
    case 'txn':
      return {
        kind: answer.kind,
        revision,
        hasSucceeded: answer.hasSucceeded,
        answers: answer.answers.map((nested) => comparable(nested, false)),
      }
    case 'compact':
      return { kind: answer.kind, revision }
    case 'refused':
      return answer
  }
}

/** An operation as one short line. */
export function describe(operation: OperationRecord): string {
  const { id, client, node, request, startUs, endUs } = operation
  const what =
    request.kind === 'range'
      ? `range of ${latin1Of(request.body.key)}..${latin1Of(request.body.rangeEnd)}`
      : contentOfRequest(operation)
  return `operation ${id} of client ${client} on ${node} (${what.replaceAll(/[^ -~]/g, '.')}, ${startUs}–${endUs} µs)`
}
