/**
 * What a checker is: a small rule, fed by what is seen from outside the nodes, that reports when it is broken.
 *
 * Nothing here asks the product about itself: messages, durable bytes, database batches and answers are observed where they
 * pass the simulated world.
 */
import type { NodeId } from '../../../src/core/base/ids.ts'
import type { Message } from '../../../src/core/raft/message.ts'
import type { DurableLog, LoggedHardState } from '../harness/durable-log.ts'
import type { BackendChange } from '../harness/sim-backend.ts'

/** One node over all of its lives. */
export interface ObservedNode {
  readonly id: NodeId
  readonly name: string
  readonly isVoter: boolean
  readonly log: DurableLog
  /** Counts lives, from 1. */
  incarnation: number
}

/** A batch of a node's database as it became visible. */
export interface ObservedBatch {
  readonly changes: readonly BackendChange[]
  /** Index of the last applied entry before and after. */
  readonly indexBefore: number
  readonly indexAfter: number
}

/** A client got a successful answer. */
export interface ObservedAnswer {
  readonly node: ObservedNode
  /** The text that is unique to the write, part of its log entry; undefined for reads. */
  readonly marker: string | undefined
  readonly description: string
}

/** Reports a broken rule; the run ends with the first one. */
export type Report = (checker: string, message: string) => void

/** A rule. Each method is called in the moment of the event, before anything else happens. */
export interface Checker {
  readonly name: string
  /** A message leaves a node. */
  sent?(message: Message, node: ObservedNode): void
  /** Durable bytes of a node's log changed; also called after a crash. */
  synced?(node: ObservedNode): void
  /** A hard state became durable. */
  hardState?(state: LoggedHardState, node: ObservedNode): void
  /** The node's log is read again from its oldest segment, so that older hard states come again. */
  reread?(node: ObservedNode): void
  /** A batch of the database became visible. */
  batch?(batch: ObservedBatch, node: ObservedNode): void
  /** A successful answer leaves a node. */
  answered?(answer: ObservedAnswer): void
  /** A node begins a new life. */
  started?(node: ObservedNode): void
}

/** The number of voters that decides. */
export function quorumOf(nodes: readonly ObservedNode[]): number {
  return Math.floor(nodes.filter((node) => node.isVoter).length / 2) + 1
}
