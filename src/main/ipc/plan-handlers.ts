/** Plans of many writes for the page; see `preload/contract/plan.ts`. */

import { callChannels, streamChannels } from '../../preload/contract/channels.ts'
import {
  planCancelRequestSchema,
  planRequestSchema,
  planRunRequestSchema,
  type PlanItem,
  type PlanList,
  type PlanRequest,
  type PlanRunItem,
  type PlanRunRequest,
} from '../../preload/contract/plan.ts'
import { connectionRequestSchema } from '../../preload/contract/primitives.ts'
import {
  binRequestSchema,
  revisionChangesRequestSchema,
  type BinItem,
  type BinRequest,
} from '../../preload/contract/bin.ts'
import { HostError } from '../host-error.ts'
import { bridgeErrorOf } from './bridge-error.ts'
import type { IpcRouter } from './ipc-router.ts'

export function registerPlanHandlers(router: IpcRouter): void {
  const refusal = new HostError('invalidRequest', 'Plans are not to be had yet')
  const ending = { dispose: () => undefined }
  router.stream<PlanRequest, PlanItem>(streamChannels.plansOpen, planRequestSchema, {
    begin: (_request, sink) => {
      sink.end(bridgeErrorOf(refusal))
      return ending
    },
  })
  router.stream<PlanRunRequest, PlanRunItem>(streamChannels.plansRun, planRunRequestSchema, {
    begin: (_request, sink) => {
      sink.end(bridgeErrorOf(refusal))
      return ending
    },
  })
  router.stream<BinRequest, BinItem>(streamChannels.binOpen, binRequestSchema, {
    begin: (_request, sink) => {
      sink.end(bridgeErrorOf(refusal))
      return ending
    },
  })
  router.call(callChannels.plansCancel, planCancelRequestSchema, () => null)
  router.call(callChannels.plansList, connectionRequestSchema, (): PlanList => ({ reports: [] }))
  router.call(callChannels.binChanges, revisionChangesRequestSchema, () => {
    throw refusal
  })
}
