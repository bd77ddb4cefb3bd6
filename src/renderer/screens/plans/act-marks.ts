/** The shape of each act of a plan: the same as in the watch and in timelines. */

import type { PlanAct } from '../../../preload/contract/plan.ts'
import type { Operation } from '../../components/marks/operation.ts'

/** Acts that write something have a shape. */
export const actMarks: Readonly<Partial<Record<PlanAct, Operation>>> = {
  create: 'create',
  update: 'put',
  delete: 'delete',
}
