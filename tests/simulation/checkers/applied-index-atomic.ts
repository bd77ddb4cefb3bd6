import { metaKeys, readUint64 } from '../../../src/core/backend/buckets.ts'
import { equalBytes } from '../../../src/core/base/bytes.ts'
import type { Checker, Report } from './checker.ts'
import type { CommittedLog } from './committed-log.ts'

/** I10: the stored applied index (and its term) and the data of that entry are in one backend transaction. */
export function appliedIndexAtomic(committed: CommittedLog, report: Report): Checker {
  const name = 'I10 applied index is atomic'
  return {
    name,
    batch: (batch, node) => {
      const hasData = batch.changes.some(
        (change) => change.bucket === 'key' && change.value !== undefined,
      )
      if (hasData && batch.indexAfter <= batch.indexBefore) {
        report(
          name,
          `${node.name} stores data at index ${batch.indexBefore} without moving the applied index`,
        )
      }
      if (batch.indexAfter <= batch.indexBefore) return
      const term = batch.changes.findLast(
        (change) => change.bucket === 'meta' && equalBytes(change.key, metaKeys.term),
      )
      const expected = committed.find(batch.indexAfter)?.entry.term
      if (term?.value === undefined || expected === undefined) return
      const stored = readUint64(term.value, 0)
      if (stored !== expected)
        report(
          name,
          `${node.name} stores term ${stored} with index ${batch.indexAfter} of term ${expected}`,
        )
    },
  }
}
