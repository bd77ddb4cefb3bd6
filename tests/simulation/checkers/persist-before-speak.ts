import type { Checker, ObservedNode, Report } from './checker.ts'
import { quorumOf } from './checker.ts'

/** I6 also watches answers to clients, for which it needs to know which entry carries which write. */
export interface PersistBeforeSpeak extends Checker {
  /** A write with this marker is durable at this position on some node. */
  marked(marker: string, position: { readonly index: number; readonly term: number }): void
}

/** I6: no message, answer or event leaves that depends on bytes not yet durable. */
export function persistBeforeSpeak(
  nodes: readonly ObservedNode[],
  report: Report,
): PersistBeforeSpeak {
  const name = 'I6 persist before speak'
  const positions = new Map<string, { readonly index: number; readonly term: number }[]>()
  return {
    name,
    marked: (marker, position) => {
      const known = positions.get(marker)
      if (known === undefined) positions.set(marker, [position])
      else if (
        !known.some((other) => other.index === position.index && other.term === position.term)
      )
        known.push(position)
    },
    sent: (message, node) => {
      const { hardState, lastIndex } = node.log
      if (message.kind === 'voteResponse' && !message.isRejected) {
        const isDurable =
          hardState.term > message.term ||
          (hardState.term === message.term && hardState.vote === message.to)
        if (!isDurable) {
          report(
            name,
            `${node.name} grants its vote in term ${message.term}; durable is term ${hardState.term}, vote ${hardState.vote.toString(16)}`,
          )
        }
      }
      if (message.kind === 'appendResponse' && !message.isRejected) {
        if (lastIndex < message.index) {
          report(
            name,
            `${node.name} acknowledges index ${message.index}; its durable log ends at ${lastIndex}`,
          )
        }
        if (hardState.term < message.term) {
          report(
            name,
            `${node.name} acknowledges in term ${message.term}; durable is term ${hardState.term}`,
          )
        }
      }
    },
    answered: ({ marker, node, description }) => {
      if (marker === undefined) return
      const quorum = quorumOf(nodes)
      const isDurable = (positions.get(marker) ?? []).some(
        ({ index, term }) =>
          nodes.filter((other) => other.isVoter && other.log.holds(index, term)).length >= quorum,
      )
      if (!isDurable)
        report(name, `${node.name} answers ${description} before a quorum holds it durably`)
    },
  }
}
