/**
 * The watch judge: each stream is compared with the model's events.
 *
 * Rules: only events of the range and of kinds not filtered; in order; none twice; the events of one revision in one batch;
 * none missing below what a batch says it is complete up to; none below the start; the previous pair is the model's, and
 * left out only for creations and compacted history; a watch is ended as compacted only when it really is behind.
 */
import type { WatchedBatch, WatchedEvent, WatchSegment } from '../harness/history.ts'
import type { PlainEvent, StoreModel } from '../harness/store-model.ts'
import type { Report } from './checker.ts'

const name = 'watch judge'

/** Judges every watch of a run. */
export function judgeWatches(
  segments: readonly WatchSegment[],
  model: StoreModel,
  report: Report,
): void {
  for (const segment of segments) judgeSegment(segment, model, report)
}

function judgeSegment(segment: WatchSegment, model: StoreModel, report: Report): void {
  const expected = model.events.filter((event) => isWanted(segment, event))
  const complain = (text: string): void => {
    report(
      name,
      `watch ${segment.watch} on ${segment.node} from ${segment.startRevision} of ${segment.startKey}..${segment.rangeEnd}: ${text}`,
    )
  }
  let position = 0
  let completeRevision = segment.startRevision - 1
  for (const batch of segment.batches) {
    if (batch.revision < completeRevision && completeRevision >= segment.startRevision) {
      complain(`a batch is complete up to ${batch.revision} after one up to ${completeRevision}`)
      return
    }
    const wanted = expectedThrough(expected, position, batch.revision)
    const problem = compareBatch(batch, wanted, { segment, model })
    if (problem !== undefined) {
      complain(problem)
      return
    }
    position += wanted.length
    completeRevision = Math.max(completeRevision, batch.revision)
  }
  if (segment.end.kind === 'compacted' && completeRevision + 1 >= segment.end.revision) {
    complain(
      `ended as compacted at ${segment.end.revision} though it was complete up to ${completeRevision}`,
    )
  }
}

function isWanted(segment: WatchSegment, event: PlainEvent): boolean {
  if (event.revision < segment.startRevision) return false
  if (segment.noPut && event.kind === 'put') return false
  if (segment.noDelete && event.kind === 'delete') return false
  if (segment.rangeEnd === '') return event.key === segment.startKey
  return event.key >= segment.startKey && event.key < segment.rangeEnd
}

function expectedThrough(
  expected: readonly PlainEvent[],
  position: number,
  revision: number,
): readonly PlainEvent[] {
  let end = position
  while (end < expected.length && expected[end]!.revision <= revision) end += 1
  return expected.slice(position, end)
}

function compareBatch(
  batch: WatchedBatch,
  wanted: readonly PlainEvent[],
  { segment, model }: { readonly segment: WatchSegment; readonly model: StoreModel },
): string | undefined {
  const count = Math.max(batch.events.length, wanted.length)
  for (let position = 0; position < count; position++) {
    const got = batch.events[position]
    const event = wanted[position]
    if (got === undefined) {
      return `${eventText(event)} is missing in a batch that is complete up to ${batch.revision}`
    }
    if (event === undefined)
      return `${gotText(got)} comes again, or below its turn, in a batch up to ${batch.revision}`
    if (got.kind !== event.kind || got.key !== event.key || got.revision !== event.revision) {
      return `${gotText(got)} comes where ${eventText(event)} is due`
    }
    if (JSON.stringify(got.pair) !== JSON.stringify(event.pair))
      return `${gotText(got)} carries ${JSON.stringify(got.pair)}`
    const problem = segment.hasPrevious ? comparePrevious(got, event, model) : undefined
    if (problem !== undefined) return problem
  }
  return undefined
}

function comparePrevious(
  got: WatchedEvent,
  event: PlainEvent,
  model: StoreModel,
): string | undefined {
  if (got.previous === undefined) {
    const mayBeLeftOut =
      event.previous === undefined || model.compactedRevision >= event.revision - 1
    return mayBeLeftOut ? undefined : `${gotText(got)} comes without its previous pair`
  }
  if (JSON.stringify(got.previous) === JSON.stringify(event.previous)) return undefined
  return `${gotText(got)} comes with ${JSON.stringify(got.previous)} as previous pair; the model has ${JSON.stringify(event.previous)}`
}

function gotText(event: WatchedEvent): string {
  return `${event.kind} of ${event.key} at ${event.revision}`
}

function eventText(event: PlainEvent | undefined): string {
  return event === undefined ? 'nothing' : `${event.kind} of ${event.key} at ${event.revision}`
}
