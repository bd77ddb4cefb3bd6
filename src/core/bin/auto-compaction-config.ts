/** The flags `--auto-compaction-mode` and `--auto-compaction-retention`. */
import type { AutoCompactionOptions } from '../node/node-config.ts'
import { parseDurationMs, parseInteger } from './flag-values.ts'

const hourMs = 3_600_000

/**
 * A bare number is a count of revisions in the mode `revision` and of hours in the mode `periodic`; 0 is off.
 * What is wrong is added to `problems`.
 */
export function autoCompactionOf(
  modeText: string,
  retentionText: string,
  problems: string[],
): AutoCompactionOptions {
  const count = parseInteger(retentionText)
  if (count === 0 || retentionText === '') return { mode: 'off' }
  if (modeText === 'revision') {
    if (count !== undefined && count > 0) return { mode: 'revision', keptRevisionCount: count }
  } else if (modeText === 'periodic') {
    const periodMs = count === undefined ? parseDurationMs(retentionText) : count * hourMs
    if (periodMs === 0) return { mode: 'off' }
    if (periodMs !== undefined && periodMs > 0) return { mode: 'periodic', periodMs }
  } else {
    problems.push(`--auto-compaction-mode is "${modeText}"; it may be periodic or revision`)
    return { mode: 'off' }
  }
  problems.push(`--auto-compaction-retention is "${retentionText}", which ${modeText} cannot be`)
  return { mode: 'off' }
}
