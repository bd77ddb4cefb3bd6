/** The door to the main process: unwraps replies, and turns plain failures back into errors. */

import type { Bridge } from '../../preload/contract/bridge.ts'
import type {
  BridgeError,
  Reply,
  StreamListener,
  Subscription,
} from '../../preload/contract/reply.ts'

declare global {
  interface Window {
    /** Put there by the preload, or by the fake bridge when the page runs in an ordinary browser. */
    readonly bridge?: Bridge
  }
}

/** A call that the main process or the cluster refused. Carries the plain failure as it crossed. */
export class CallError extends Error {
  readonly failure: BridgeError

  constructor(failure: BridgeError) {
    super(failure.message)
    this.name = 'CallError'
    this.failure = failure
  }
}

/**
 * The bridge of this page.
 *
 * @throws Error  when the page was opened without a preload, which is a packaging fault
 */
export function getBridge(): Bridge {
  if (window.bridge === undefined) throw new Error('the page was loaded without its bridge')
  return window.bridge
}

/**
 * The value of a reply.
 *
 * @throws CallError  when the reply is a failure
 */
export async function unwrap<T>(pending: Promise<Reply<T>>): Promise<T> {
  const reply = await pending
  if (reply.ok) return reply.value
  throw new CallError(reply.error)
}

/** What a stream tells its owner: batches in order, then its end at most once. */
export interface StreamHandlers<T> {
  readonly onBatch: (items: readonly T[]) => void
  /** Absent error: the stream came to its own end. */
  readonly onEnd?: (error: CallError | undefined) => void
}

/** Opens a stream and splits its messages into batches and end. */
export function subscribe<T>(
  open: (listener: StreamListener<T>) => Subscription,
  handlers: StreamHandlers<T>,
): Subscription {
  return open((message) => {
    if (message.kind === 'batch') handlers.onBatch(message.items)
    else handlers.onEnd?.(message.error === undefined ? undefined : new CallError(message.error))
  })
}
