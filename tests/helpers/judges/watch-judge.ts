/**
 * The watch judge for histories of real processes: every message of every stream is held against the model's events.
 *
 * A stream must tell exactly the events of its range from its start on, in order, none twice, a revision never divided but by
 * the fragment mark; progress promises that nothing up to it is still to come; an end as compacted must be true; previous
 * pairs, versions and revisions are the model's. At the end everything that happened must have been told.
 */
import type { Report } from '../../simulation/checkers/checker.ts'
import type { WatchedEvent } from '../../simulation/harness/history.ts'
import type { PlainEvent, StoreModel } from '../../simulation/harness/store-model.ts'
import type { ClientHistory, WatchMessage, WatchRecord, WatchStream } from './client-history.ts'

/** Judges every watch of a history whose watches were given time to catch up at its end. */
export function judgeWatchRecords(
  history: Pick<ClientHistory, 'watches'>,
  model: StoreModel,
  report: Report,
): void {
  for (const watch of history.watches) {
    const complain = (text: string): void => {
      report('watch judge', `watch ${watch.name}: ${text}`)
    }
    judgeWatch(watch, model, complain)
  }
}

/** The first revision that a watch, having got the messages of a stream, still needs. Undefined: it never began. */
export function neededAfter(stream: WatchStream): number | undefined {
  let needed = stream.startRevision === 0 ? undefined : stream.startRevision
  for (const message of stream.messages) {
    if (message.isCreated && needed === undefined && !message.isCanceled)
      needed = message.revision + 1
    if (message.isCanceled || message.isFragment) continue
    const newest = message.events.at(-1)
    if (newest !== undefined) needed = newest.revision + 1
  }
  return needed
}

type Complain = (text: string) => void

function judgeWatch(watch: WatchRecord, model: StoreModel, complain: Complain): void {
  const expected = model.events.filter((event) => isWanted(watch, event))
  let owed: number | undefined
  for (const stream of watch.streams) {
    if (owed !== undefined && stream.startRevision > owed) {
      complain(`a stream begins at ${stream.startRevision}, and ${owed} was due`)
    }
    const judged = new StreamJudge(watch, { expected, model, complain })
    judged.judge(stream)
    owed = judged.owedRevision ?? owed
  }
  const missing = owed === undefined ? undefined : firstFrom(expected, owed)
  if (missing !== undefined) complain(`at the end ${eventText(missing)} was never told`)
}

interface Against {
  readonly expected: readonly PlainEvent[]
  readonly model: StoreModel
  readonly complain: Complain
}

class StreamJudge {
  /** First revision that the watch still needs after the stream. */
  owedRevision: number | undefined
  private readonly watch: WatchRecord
  private readonly against: Against
  private position = 0
  private isCreated = false
  private isFragmented = false
  private hasEnded = false
  private lastTold = 0
  private promised = 0

  constructor(watch: WatchRecord, against: Against) {
    this.watch = watch
    this.against = against
  }

  judge(stream: WatchStream): void {
    for (const [number, message] of stream.messages.entries()) {
      const problem = this.judgeMessage(message, stream)
      if (problem === undefined) continue
      this.against.complain(
        `${problem} (message ${number} from ${stream.node}, begun at ${stream.startRevision})`,
      )
      return
    }
  }

  private judgeMessage(message: WatchMessage, stream: WatchStream): string | undefined {
    if (this.hasEnded) return 'a message after the end'
    if (message.isCanceled) return this.judgeEnd(message, stream)
    if (message.isCreated) return this.judgeCreation(message, stream)
    if (!this.isCreated) return 'a message before the creation'
    if (message.events.length > 0 || this.isFragmented) return this.judgeEvents(message)
    return this.judgeProgress(message)
  }

  private judgeCreation(message: WatchMessage, stream: WatchStream): string | undefined {
    if (this.isCreated) return 'created twice'
    if (message.events.length > 0) return 'events in the message that tells of the creation'
    this.isCreated = true
    const start = stream.startRevision === 0 ? message.revision + 1 : stream.startRevision
    this.owedRevision = start
    this.position = firstPosition(this.against.expected, start)
    return undefined
  }

  private judgeEnd(message: WatchMessage, stream: WatchStream): string | undefined {
    this.hasEnded = true
    this.owedRevision ??= stream.startRevision === 0 ? undefined : stream.startRevision
    const { compactRevision } = message
    if (compactRevision === 0) return 'canceled without a reason that the history knows'
    const needed = this.owedRevision ?? 0
    if (compactRevision > this.against.model.compactedRevision)
      return `ended as compacted at ${compactRevision}, which nobody compacted`
    if (needed >= compactRevision)
      return `ended as compacted at ${compactRevision}, though it only needed ${needed}`
    // What is gone is gone: the next stream begins there.
    this.owedRevision = compactRevision
    return undefined
  }

  private judgeEvents(message: WatchMessage): string | undefined {
    for (const event of message.events) {
      const due = this.against.expected[this.position]
      if (due === undefined) return `${eventText(event)} comes, and nothing is due`
      if (event.revision <= this.promised)
        return `${eventText(event)} comes after progress at ${this.promised}`
      if (event.kind !== due.kind || event.key !== due.key || event.revision !== due.revision)
        return `${eventText(event)} comes where ${eventText(due)} is due`
      if (event.revision > message.revision)
        return `${eventText(event)} comes under a header of revision ${message.revision}`
      const problem = this.compare(event, due)
      if (problem !== undefined) return problem
      this.position++
      this.lastTold = event.revision
    }
    this.isFragmented = message.isFragment
    if (this.isFragmented) return undefined
    const next = this.against.expected[this.position]
    if (next?.revision === this.lastTold)
      return `${eventText(next)} is missing in the message that tells of its revision`
    this.owedRevision = Math.max(this.owedRevision ?? 0, this.lastTold + 1)
    return undefined
  }

  private judgeProgress({ revision }: WatchMessage): string | undefined {
    const due = this.against.expected[this.position]
    if (due !== undefined && due.revision <= revision)
      return `progress at ${revision} while ${eventText(due)} is still to come`
    if (revision < this.promised) return `progress at ${revision} after ${this.promised}`
    this.promised = revision
    return undefined
  }

  private compare(event: WatchedEvent, due: PlainEvent): string | undefined {
    if (JSON.stringify(event.pair) !== JSON.stringify(due.pair))
      return `${eventText(event)} carries ${JSON.stringify(event.pair)}; the model has ${JSON.stringify(due.pair)}`
    if (!this.watch.hasPrevious)
      return event.previous === undefined ? undefined : `${eventText(event)} with a previous pair`
    if (event.previous === undefined) {
      const mayBeGone = this.against.model.compactedRevision > due.revision - 1
      return due.previous === undefined || mayBeGone
        ? undefined
        : `${eventText(event)} comes without its previous pair`
    }
    if (JSON.stringify(event.previous) === JSON.stringify(due.previous)) return undefined
    return `${eventText(event)} comes with ${JSON.stringify(event.previous)} as previous pair; the model has ${JSON.stringify(due.previous)}`
  }
}

function isWanted(watch: WatchRecord, { kind, key }: PlainEvent): boolean {
  if (watch.isWithoutPuts && kind === 'put') return false
  if (watch.isWithoutDeletes && kind === 'delete') return false
  if (watch.rangeEnd === '') return key === watch.startKey
  return key >= watch.startKey && (watch.rangeEnd === '\0' || key < watch.rangeEnd)
}

/** Position of the first event at or above a revision. */
function firstPosition(events: readonly PlainEvent[], revision: number): number {
  let [low, high] = [0, events.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (events[middle]!.revision < revision) low = middle + 1
    else high = middle
  }
  return low
}

function firstFrom(events: readonly PlainEvent[], revision: number): PlainEvent | undefined {
  return events[firstPosition(events, revision)]
}

function eventText(event: Pick<PlainEvent, 'kind' | 'key' | 'revision'>): string {
  return `${event.kind} of ${event.key} at ${event.revision}`
}
