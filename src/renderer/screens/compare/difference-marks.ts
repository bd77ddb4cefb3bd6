import type { DifferenceKind } from '../../../preload/contract/compare.ts'
import type { Operation } from '../../components/marks/operation.ts'

/** The shape of each kind of difference: the same that the act has which makes it. */
export const differenceMarks: Readonly<Record<DifferenceKind, Operation>> = {
  added: 'create',
  changed: 'put',
  removed: 'delete',
}
