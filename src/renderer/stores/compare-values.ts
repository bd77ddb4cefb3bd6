/** Values of one difference, as the comparison saw them. */

import type { KeyValue } from '../../preload/contract/kv.ts'
import { kvApi } from '../api/kv-api.ts'
import { rightKeyIn, type SideName } from './compare-side.ts'
import type { CompareRun } from './comparison.ts'
import type { DifferenceRow } from './difference-table.ts'

/** A key on both sides; absent where it is not there. */
export interface BothValues {
  readonly row: DifferenceRow
  readonly left?: KeyValue
  readonly right?: KeyValue
}

/** @throws CallError  as the side that cannot be read refuses */
export async function readBothValues(
  run: Pick<CompareRun, 'sides' | 'pinned'>,
  row: DifferenceRow,
): Promise<BothValues> {
  const read = async (side: SideName): Promise<Readonly<Partial<Record<SideName, KeyValue>>>> => {
    const isThere = (side === 'left' ? row.leftModRevision : row.rightModRevision) > 0
    if (!isThere) return {}
    // The row's key is a view into all keys; crossing would take them along.
    const key = row.key.slice()
    const { pair } = await kvApi.get({
      connectionId: run.sides[side].connectionId,
      key: side === 'left' ? key : rightKeyIn(run.sides, key),
      revision: run.pinned?.[side].revision ?? run.sides[side].revision,
    })
    return pair === undefined ? {} : { [side]: pair }
  }
  const [left, right] = await Promise.all([read('left'), read('right')])
  return { row, ...left, ...right }
}
