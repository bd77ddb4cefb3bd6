/** Who waits for a request, and in whose name it is made. */
import type { AuthInfo } from '../auth/auth-store.ts'
import type { Cancellation } from '../base/cancellation.ts'

/** The side of a call that the node sees. */
export interface Caller extends Cancellation {
  /** Undefined while nobody has to say who he is, or nobody did. */
  readonly requester?: AuthInfo | undefined
}

/** A caller who never gives up. */
export function callerOf(requester: AuthInfo | undefined): Caller {
  return {
    requester,
    isCanceled: false,
    setCancelListener: () => {
      // Nobody will call a listener.
    },
  }
}
