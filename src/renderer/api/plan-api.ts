import type {
  BinItem,
  BinRequest,
  RevisionChangesReply,
  RevisionChangesRequest,
} from '../../preload/contract/bin.ts'
import type {
  PlanItem,
  PlanList,
  PlanRequest,
  PlanRunItem,
  PlanRunRequest,
} from '../../preload/contract/plan.ts'
import type { Subscription } from '../../preload/contract/reply.ts'
import { getBridge, subscribe, unwrap, type StreamHandlers } from './bridge.ts'

/** Plans of many writes. */
export const planApi = {
  /** Computes a plan, which exists until the subscription is closed. */
  open: (request: PlanRequest, handlers: StreamHandlers<PlanItem>): Subscription =>
    subscribe((listener) => getBridge().plans.open(request, listener), handlers),
  /** Runs a plan once. */
  run: (request: PlanRunRequest, handlers: StreamHandlers<PlanRunItem>): Subscription =>
    subscribe((listener) => getBridge().plans.run(request, listener), handlers),
  cancel: (planId: number): Promise<null> => unwrap(getBridge().plans.cancel({ planId })),
  /** What ran on a connection, newest first. */
  list: (connectionId: string): Promise<PlanList> =>
    unwrap(getBridge().plans.list({ connectionId })),
} as const

/** Deleted keys. */
export const binApi = {
  open: (request: BinRequest, handlers: StreamHandlers<BinItem>): Subscription =>
    subscribe((listener) => getBridge().bin.open(request, listener), handlers),
  /** Everything that one revision changed. */
  changes: (request: RevisionChangesRequest): Promise<RevisionChangesReply> =>
    unwrap(getBridge().bin.changes(request)),
} as const
