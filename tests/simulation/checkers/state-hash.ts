import type { Report } from './checker.ts'

/** What a member says about its whole key space. */
export interface StateHash {
  readonly node: string
  readonly hash: number
  readonly revision: number
  readonly compactedRevision: number
}

/** I15: equal revision and compact revision mean equal hash. */
export function checkStateHashes(hashes: readonly StateHash[], report: Report): void {
  for (const [position, left] of hashes.entries()) {
    for (const right of hashes.slice(position + 1)) {
      const isComparable =
        left.revision === right.revision && left.compactedRevision === right.compactedRevision
      if (isComparable && left.hash !== right.hash) {
        report(
          'I15 hash agreement',
          `${left.node} and ${right.node} have hashes ${left.hash} and ${right.hash} at revision ${left.revision}`,
        )
      }
    }
  }
}
