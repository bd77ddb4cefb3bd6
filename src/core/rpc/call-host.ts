/** What the calls of one connection need of whoever serves them. */
import type { Clock } from '../base/clock.ts'
import type { CallContext, ClientIdentity } from './rpc-call.ts'

/** Node's timers hold 31 bits; a longer deadline outlives any call. */
export const deadlineMsMax = 0x7fff_ffff

/** One per connection, shared by its calls. */
export interface CallHost {
  readonly clock: Clock
  readonly identity: ClientIdentity
  /** Largest message taken, in bytes. */
  readonly messageSizeBytesMax: number
  /** @throws  what the call is to be answered with */
  admit(call: CallContext, isServedByLearner: () => boolean): void
  /** A header or data frame was sent: pings that follow are no flood. */
  noteFrameSent(): void
  /** A call ended with this; a bug or a storage fault ends more than the call. */
  reportFailure(error: unknown): void
  /** A call's stream is gone. Comes once for each. */
  noteClosed(): void
}
