import type { Checker, ObservedNode, Report } from './checker.ts'

/** I11: the log begins no later than behind the flushed applied index; a recorded snapshot is flushed. */
export function logCoversBackend(
  flushedIndexOf: (node: ObservedNode) => number,
  report: Report,
): Checker {
  const name = 'I11 log covers backend'
  const checked = new Map<ObservedNode, string>()
  return {
    name,
    synced: (node) => {
      // What is flushed only grows: it is looked up again only when the log has changed in what depends on it.
      const dependent = `${node.log.firstIndex}/${node.log.snapshotIndex}/${node.incarnation}`
      if (checked.get(node) === dependent) return
      checked.set(node, dependent)
      const flushedIndex = flushedIndexOf(node)
      if (node.log.firstIndex > flushedIndex + 1) {
        report(
          name,
          `the log of ${node.name} begins at ${node.log.firstIndex}; its database is flushed up to ${flushedIndex}`,
        )
      }
      if (node.log.snapshotIndex > flushedIndex) {
        report(
          name,
          `the log of ${node.name} records a snapshot at ${node.log.snapshotIndex}; its database is flushed up to ${flushedIndex}`,
        )
      }
    },
  }
}
