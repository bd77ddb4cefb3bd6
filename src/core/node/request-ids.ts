/**
 * Ids of requests, unique over members and restarts.
 *
 * As in etcd's `idutil`: 2 bytes of the member's id, 5 bytes of the wall clock in milliseconds at the start, 1 byte counter,
 * counted on as one number; the counter may run over into the clock, because a node makes fewer than 256 requests a
 * millisecond on average, so a later start is always ahead of an earlier one.
 */
import { requestId, type NodeId, type RequestId } from '../base/ids.ts'

const clockBits = 40n
const counterBits = 8n

/** Draws ids; one per node life. */
export class RequestIds {
  private next: bigint

  constructor(member: NodeId, wallMs: number) {
    const clock = BigInt.asUintN(Number(clockBits), BigInt(Math.floor(wallMs)))
    this.next = (BigInt.asUintN(16, member) << (clockBits + counterBits)) | (clock << counterBits)
  }

  draw(): RequestId {
    this.next = BigInt.asUintN(64, this.next + 1n)
    return requestId(this.next)
  }
}
