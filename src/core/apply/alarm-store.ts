/**
 * Alarms in force, the same on all members. Bucket `alarm`: the encoded `AlarmMember` is the key, the value is empty.
 */
import type { BackendBatch, BackendReader } from '../backend/backend.ts'
import { emptyBytes } from '../base/bytes.ts'
import { nodeId, type NodeId } from '../base/ids.ts'
import { AlarmMember, AlarmType } from '../proto/gen/rpc.ts'
import type { Alarm, AlarmKind } from './apply-result.ts'

/** All alarms, mirrored in memory; changed only by applied entries. */
export class AlarmStore {
  /** Invariant: the same as the bucket with the open batch, by encoded key. */
  private readonly alarms = new Map<string, Alarm>()

  static open(reader: BackendReader): AlarmStore {
    const store = new AlarmStore()
    for (const record of reader.scan('alarm', {})) {
      const { memberID, alarm } = AlarmMember.decode(record.key)
      const kind = alarmKindOf(alarm)
      if (kind !== undefined) store.add({ memberId: nodeId(memberID), alarm: kind })
    }
    return store
  }

  /** All, or those of one kind, by member and kind. */
  list(kind?: AlarmKind): readonly Alarm[] {
    return [...this.alarms.values()]
      .filter((alarm) => kind === undefined || alarm.alarm === kind)
      .sort(compareAlarms)
  }

  get isAnyRaised(): boolean {
    return this.alarms.size > 0
  }

  isRaised(kind: AlarmKind): boolean {
    for (const alarm of this.alarms.values()) if (alarm.alarm === kind) return true
    return false
  }

  /** Raising twice changes nothing. */
  raise(batch: BackendBatch, alarm: Alarm): void {
    this.add(alarm)
    batch.put('alarm', storedAlarm(alarm), emptyBytes)
  }

  /** @returns whether it was in force */
  clear(batch: BackendBatch, alarm: Alarm): boolean {
    if (!this.alarms.delete(keyOf(alarm))) return false
    batch.remove('alarm', storedAlarm(alarm))
    return true
  }

  private add(alarm: Alarm): void {
    this.alarms.set(keyOf(alarm), alarm)
  }
}

/** Undefined for NONE and for kinds that this version does not know. */
export function alarmKindOf(type: AlarmType): AlarmKind | undefined {
  if (type === AlarmType.NOSPACE) return 'noSpace'
  if (type === AlarmType.CORRUPT) return 'corrupt'
  return undefined
}

/** The wire's number of a kind. */
export function alarmTypeOf(kind: AlarmKind): AlarmType {
  return kind === 'noSpace' ? AlarmType.NOSPACE : AlarmType.CORRUPT
}

function keyOf(alarm: { readonly memberId: NodeId; readonly alarm: AlarmKind }): string {
  return `${alarm.memberId.toString()}/${alarm.alarm}`
}

function storedAlarm(alarm: Alarm): Uint8Array {
  return AlarmMember.encode({ memberID: alarm.memberId, alarm: alarmTypeOf(alarm.alarm) }).finish()
}

function compareAlarms(left: Alarm, right: Alarm): number {
  if (left.memberId !== right.memberId) return left.memberId < right.memberId ? -1 : 1
  return alarmTypeOf(left.alarm) - alarmTypeOf(right.alarm)
}
