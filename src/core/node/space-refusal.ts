/** Refuses writes that the database has no room for, and asks the cluster to know of it. */
import { StoreError } from '../errors/store-error.ts'
import { AlarmRequest_AlarmAction, AlarmType, type AlarmRequest } from '../proto/gen/rpc.ts'
import { callerOf } from './caller.ts'
import type { NodeParts } from './node-parts.ts'

/** What it looks at, and by whom it makes itself heard. */
export type SpaceRefusalParts = Pick<
  NodeParts,
  'quota' | 'machine' | 'proposals' | 'logger' | 'memberId' | 'auth'
>

/** One per node. */
export class SpaceRefusal {
  private readonly parts: SpaceRefusalParts
  private isRaisingAlarm = false

  constructor(parts: SpaceRefusalParts) {
    this.parts = parts
  }

  /** Why a write of this cost is refused, `noSpace`, after asking the cluster to raise the alarm; undefined: it is not. */
  refusalFor(costBytes: number): StoreError | undefined {
    const { quota, machine } = this.parts
    if (quota.hasRoomFor(machine.state.backend, costBytes)) return undefined
    this.raiseAlarm()
    return new StoreError('noSpace')
  }

  private raiseAlarm(): void {
    const { machine, proposals, logger, memberId, auth } = this.parts
    const alarms = machine.state.alarms.list('noSpace')
    if (this.isRaisingAlarm || alarms.some((alarm) => alarm.memberId === memberId)) return
    this.isRaisingAlarm = true
    const request: AlarmRequest = {
      action: AlarmRequest_AlarmAction.ACTIVATE,
      memberID: memberId,
      alarm: AlarmType.NOSPACE,
    }
    proposals
      .submit({ kind: 'alarm', request }, callerOf(auth.rootInfo))
      .catch((error: unknown) => {
        logger.warn('the alarm about missing space could not be raised', { reason: String(error) })
      })
      .finally(() => {
        this.isRaisingAlarm = false
      })
  }
}
