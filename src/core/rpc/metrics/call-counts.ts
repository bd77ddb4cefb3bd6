/** How many calls of each method began, how they ended, and where that is wanted how long they took. */
import type { Clock } from '../../base/clock.ts'
import { TimeHistogram } from '../../base/time-histogram.ts'
import { grpcStatusNumbers } from '../../errors/error-table.ts'
import type { ServiceTable } from '../rpc-call.ts'

const codeCount = Object.keys(grpcStatusNumbers).length
/** Streams to the client alone; all others go both ways. */
const serverStreams: ReadonlySet<string> = new Set([
  '/etcdserverpb.KV/RangeStream',
  '/etcdserverpb.Maintenance/Snapshot',
  '/grpc.health.v1.Health/Watch',
  '/v3electionpb.Election/Observe',
])

/** As Prometheus' libraries have them where nothing else is said. */
const timeBoundsSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** A unary call that took longer than it should. */
export interface SlowCall {
  /** `/package.Service/Method` */
  readonly path: string
  readonly tookMs: number
  /** Of gRPC. */
  readonly code: number
}

/** What is done with the times of calls. */
export interface CallTiming {
  readonly clock: Clock
  /** They are counted, by method. */
  readonly countsTimes: boolean
  /** Unary calls that take longer are told of. */
  readonly unaryWarningMs: number
  readonly onSlowUnary: (slow: SlowCall) => void
}

/** Of one method. */
export class MethodCounts {
  readonly service: string
  readonly method: string
  /** As metrics name it. */
  readonly type: 'unary' | 'server_stream' | 'bidi_stream'
  startedCount = 0
  receivedMessageCount = 0
  sentMessageCount = 0
  /** Undefined where times are not counted. */
  readonly times: TimeHistogram | undefined
  private readonly timing: CallTiming | undefined
  /** By gRPC code. */
  readonly endedCounts: number[] = Array.from({ length: codeCount }, () => 0)

  /** @param timing  undefined: times are of no interest */
  constructor(
    { service, method, type }: Pick<MethodCounts, 'service' | 'method' | 'type'>,
    timing: CallTiming | undefined,
  ) {
    this.service = service
    this.method = method
    this.type = type
    this.timing = timing
    this.times = timing?.countsTimes === true ? new TimeHistogram(timeBoundsSeconds) : undefined
  }

  /** A call began. @returns what its end wants to be told */
  begin(): number {
    this.startedCount++
    return this.timing === undefined ? 0 : this.timing.clock.monotonicMs()
  }

  /** Calls that have begun and not ended. */
  get openCount(): number {
    return this.startedCount - this.endedCounts.reduce((sum, count) => sum + count, 0)
  }

  /** A call that began at this time ended with this gRPC code. */
  countEnd(code: number, beganAtMs: number): void {
    this.endedCounts[code] = (this.endedCounts[code] ?? 0) + 1
    if (this.timing === undefined) return
    const tookMs = this.timing.clock.monotonicMs() - beganAtMs
    this.times?.recordMs(tookMs)
    if (this.type !== 'unary' || tookMs <= this.timing.unaryWarningMs) return
    this.timing.onSlowUnary({ path: `/${this.service}/${this.method}`, tookMs, code })
  }
}

const framePrefixBytes = 5

/**
 * Counts the messages in what a stream sends, whose pieces end where they like; but the five bytes before a message are in
 * one piece.
 *
 * @param missingBytes  of the message that an earlier piece began
 * @returns how much is missing behind this piece
 */
export function countFrames(counts: MethodCounts, missingBytes: number, piece: Uint8Array): number {
  let offset = missingBytes
  while (offset < piece.length) {
    counts.sentMessageCount++
    offset += framePrefixBytes + lengthAt(piece, offset + 1)
  }
  return offset - piece.length
}

function lengthAt(bytes: Uint8Array, offset: number): number {
  const byteAt = (position: number): number => bytes[offset + position] ?? 0
  return byteAt(0) * 2 ** 24 + (byteAt(1) << 16) + (byteAt(2) << 8) + byteAt(3)
}

/** Of all methods of a server. */
export class CallCounts {
  private readonly counts = new Map<string, MethodCounts>()

  /** @param timing  undefined: times are of no interest */
  constructor(services: ServiceTable, timing?: CallTiming) {
    for (const [service, methods] of services) {
      for (const [name, { kind }] of methods) {
        const path = `/${service}/${name}`
        const streamType = serverStreams.has(path) ? 'server_stream' : 'bidi_stream'
        const type = kind === 'unary' ? 'unary' : streamType
        this.counts.set(path, new MethodCounts({ service, method: name, type }, timing))
      }
    }
  }

  /** @param path  `/package.Service/Method`; one that is not known is counted nowhere */
  of(path: string): MethodCounts {
    return (
      this.counts.get(path) ??
      new MethodCounts({ service: '', method: '', type: 'unary' }, undefined)
    )
  }

  all(): Iterable<MethodCounts> {
    return this.counts.values()
  }
}
