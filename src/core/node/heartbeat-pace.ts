/**
 * Whether a leader's heartbeats leave in time.
 *
 * A leader whose disk or processor cannot keep up sends them late, and its followers then elect another. The time between
 * two to the same member is measured; more than two intervals is too long, by etcd's figure.
 */
import type { Clock } from '../base/clock.ts'
import { hexId, type NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Message } from '../raft/message.ts'

const lateIntervalsMin = 2

/** Watches over the heartbeats of one node. */
export class HeartbeatPace {
  /** Heartbeats that left too late, since the start. */
  lateCount = 0
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly heartbeatMs: number
  /** Monotonic times of the last ones, by member. */
  private readonly lastMs = new Map<NodeId, number>()

  constructor(clock: Clock, logger: Logger, heartbeatMs: number) {
    this.clock = clock
    this.logger = logger
    this.heartbeatMs = heartbeatMs
  }

  /** Looks for heartbeats among what leaves now. */
  note(messages: readonly Message[]): void {
    for (const { kind, to } of messages) if (kind === 'heartbeat') this.noteOne(to)
  }

  /** Another role: earlier heartbeats are of no account. */
  reset(): void {
    this.lastMs.clear()
  }

  private noteOne(to: NodeId): void {
    const nowMs = this.clock.monotonicMs()
    const lastMs = this.lastMs.get(to) ?? nowMs
    this.lastMs.set(to, nowMs)
    const expectedMs = lateIntervalsMin * this.heartbeatMs
    const exceededMs = nowMs - lastMs - expectedMs
    if (exceededMs <= 0) return
    this.lateCount++
    this.logger.warn(
      'leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk',
      {
        to: hexId(to),
        'heartbeat-interval': `${this.heartbeatMs}ms`,
        'expected-duration': `${expectedMs}ms`,
        'exceeded-duration': `${exceededMs.toFixed(3)}ms`,
      },
    )
  }
}
