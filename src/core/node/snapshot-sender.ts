/**
 * Sends the whole state to followers that need entries which the log no longer has.
 *
 * The message that Raft made names the moment it was made at; what is sent is the state of now, so index, term and
 * configuration are replaced by those of now, all three from the same instant. While a transfer runs, and for a while
 * after, the log is kept: otherwise what the receiver needs next would be gone when it has stored the state, and it would
 * need another snapshot, for ever.
 */
import type { Clock } from '../base/clock.ts'
import { hexId, type NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { PeerTransport } from '../peer/peer-transport.ts'
import type { ConfState, SnapshotMessage } from '../raft/message.ts'
import { encodeV2Store } from '../snapshot/v2-store.ts'
import type { DatabaseSnapshots } from './database-snapshots.ts'
import type { StateMachine } from './state-machine.ts'

/** Transfers at a time; etcd's figure. */
const transferCountMax = 16

/** How long the log is kept behind a delivered snapshot: time for the receiver to install it and ask on. */
const keepAfterDeliveryMs = 30_000

/** Transfers to peers, and what they hold on to. */
export class SnapshotSender {
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly machine: StateMachine
  private readonly transport: PeerTransport
  private readonly files: Pick<DatabaseSnapshots, 'transfer'>
  private readonly releases = new Map<NodeId, () => void>()
  private keptUntilMs = Number.NEGATIVE_INFINITY

  constructor(
    parts: {
      readonly clock: Clock
      readonly logger: Logger
      readonly files: Pick<DatabaseSnapshots, 'transfer'>
    },
    machine: StateMachine,
    transport: PeerTransport,
  ) {
    this.files = parts.files
    this.clock = parts.clock
    this.logger = parts.logger
    this.machine = machine
    this.transport = transport
  }

  /** Whether entries behind a snapshot may still be needed by a receiver. */
  get holdsLog(): boolean {
    return this.releases.size > 0 || this.clock.monotonicMs() < this.keptUntilMs
  }

  /**
   * @param confState  Raft's configuration at the last applied entry
   * @returns 'refused' when too many transfers run, or one to this peer: Raft must be told that it failed
   */
  send(message: SnapshotMessage, confState: ConfState): 'sent' | 'refused' {
    if (this.releases.has(message.to) || this.releases.size >= transferCountMax) return 'refused'
    const metadata = {
      index: this.machine.appliedIndex,
      term: this.machine.appliedTerm,
      confState,
    }
    const { chunks, release } = this.files.transfer(this.machine.freeze())
    this.releases.set(message.to, release)
    this.logger.info('sending database snapshot', { to: hexId(message.to), index: metadata.index })
    const data = encodeV2Store(this.machine.state.membership, metadata.index)
    this.transport.sendSnapshot({ ...message, snapshot: { metadata, data } }, chunks)
    return 'sent'
  }

  /** The transport is done with a transfer. */
  finish(peer: NodeId, outcome: 'delivered' | 'failed'): void {
    const release = this.releases.get(peer)
    if (release === undefined) return
    this.releases.delete(peer)
    release()
    if (outcome === 'failed') {
      this.logger.warn('database snapshot was not delivered', { to: hexId(peer) })
      return
    }
    this.keptUntilMs = this.clock.monotonicMs() + keepAfterDeliveryMs
    this.logger.info('sent database snapshot', { to: hexId(peer) })
  }

  /** Lets go of everything, at the end of the node. */
  halt(): void {
    for (const release of this.releases.values()) release()
    this.releases.clear()
  }
}
