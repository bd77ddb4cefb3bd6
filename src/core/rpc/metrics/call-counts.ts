/** How many calls of each method began, and how they ended. */
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

/** Of one method. */
export class MethodCounts {
  readonly service: string
  readonly method: string
  /** As metrics name it. */
  readonly type: 'unary' | 'server_stream' | 'bidi_stream'
  startedCount = 0
  /** By gRPC code. */
  readonly endedCounts: number[] = Array.from({ length: codeCount }, () => 0)

  constructor(service: string, method: string, type: MethodCounts['type']) {
    this.service = service
    this.method = method
    this.type = type
  }

  /** Calls that have begun and not ended. */
  get openCount(): number {
    return this.startedCount - this.endedCounts.reduce((sum, count) => sum + count, 0)
  }

  /** A call ended with this gRPC code. */
  countEnd(code: number): void {
    this.endedCounts[code] = (this.endedCounts[code] ?? 0) + 1
  }
}

/** Of all methods of a server. */
export class CallCounts {
  private readonly counts = new Map<string, MethodCounts>()

  constructor(services: ServiceTable) {
    for (const [service, methods] of services) {
      for (const [name, { kind }] of methods) {
        const path = `/${service}/${name}`
        const streamType = serverStreams.has(path) ? 'server_stream' : 'bidi_stream'
        const type = kind === 'unary' ? 'unary' : streamType
        this.counts.set(path, new MethodCounts(service, name, type))
      }
    }
  }

  /** @param path  `/package.Service/Method`; one that is not known is counted nowhere */
  of(path: string): MethodCounts {
    return this.counts.get(path) ?? new MethodCounts('', '', 'unary')
  }

  all(): Iterable<MethodCounts> {
    return this.counts.values()
  }
}
