/**
 * How answers and failures cross from the main process to the page.
 *
 * Class identity is lost between processes, so a failure is plain data; `renderer/api` turns it back into an error.
 */

/** A failure as plain data. */
export interface BridgeError {
  /**
   * What kind of failure: a code of the store's error table (`compacted`, `noLeader`, `permissionDenied`, …) or one of
   * the bridge's own: `invalidRequest` (arguments out of shape), `unknownConnection`, `unknownNode`, `nodeState` (the
   * node cannot do that now), `unreachable` (no endpoint answers), `readOnly`, `file` (a file of this computer cannot be used), `internal` (a bug; see the log file),
   * `server` (a server's answer that the table does not know).
   */
  readonly code: string
  /** One sentence for the user's side; may contain text from a server, so it is shown as text only. */
  readonly message: string
  /** Name of the gRPC status where the failure came from a server, for example `outOfRange`. */
  readonly grpcStatus?: string
  /** The same request may succeed later without being changed. */
  readonly isRetryable: boolean
  /** A write was sent and its answer lost: it may or may not have taken effect. */
  readonly isOutcomeUnknown: boolean
  /** Figures around the failure, for example `{ requested: 5, compacted: 12 }`. */
  readonly details: Readonly<Record<string, string | number | bigint | boolean>>
}

/** The answer to a call. A call through the bridge never rejects. */
export type Reply<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: BridgeError }

/**
 * What a stream delivers: at most one batch about every 16 ms, in order, and at last one end. Nothing follows the end,
 * and nothing follows the listener's own `close()`.
 */
export type StreamMessage<T> =
  | { readonly kind: 'batch'; readonly items: readonly T[] }
  | { readonly kind: 'ended'; readonly error?: BridgeError }

/** Receives what a stream delivers. Must not throw. */
export type StreamListener<T> = (message: StreamMessage<T>) => void

/** An open stream. Closing twice does nothing. */
export interface Subscription {
  close(): void
}
