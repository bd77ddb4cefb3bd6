/**
 * The seam between services and transport: what a call looks like to a service, and a service to a transport.
 *
 * Services see messages' bytes, metadata and whether somebody still waits, and know nothing of HTTP/2, so that the transport
 * can be exchanged without touching them.
 */
import type { Cancellation } from '../base/cancellation.ts'
import type { Settler } from '../base/settler.ts'
import type { AuthInfo } from '../node/node-surface.ts'
import type { RpcStatus } from './status-mapping.ts'

/** What is known of a client by its connection. */
export interface ClientIdentity {
  /** It came over TLS. */
  readonly isSecure: boolean
  /**
   * Common name of the certificate that the client had to show; empty for one without a name, undefined where none is
   * asked for.
   */
  readonly commonName: string | undefined
}

/** A client that came without TLS. */
export const plainClient: ClientIdentity = { isSecure: false, commonName: undefined }

/** What every call carries. It is cancelled when the caller goes away or its deadline passes. */
export interface CallContext extends Cancellation {
  /** Who calls, as far as the connection tells. */
  readonly client: ClientIdentity
  /** In whose name; found before a method sees the call, and only while calls have to say so. */
  requester: AuthInfo | undefined
  /** Value of a metadata key in lower case; one UTF-16 unit per byte, as HTTP/2 delivers it. */
  findMetadata(key: string): string | undefined
}

/** A call that stays open. Both directions are independent. */
export interface StreamCall extends CallContext {
  /**
   * Hands each message to `onMessage` from the next turn on, until the call ends or the client has sent its last one,
   * which `onHalfClose` tells.
   */
  read(onMessage: (message: Uint8Array) => void, onHalfClose: () => void): void
  /** Stops and continues reading; messages that have arrived already wait. */
  setReading(isReading: boolean): void
  /** Sends one message, framed already (see `FrameWriter`). Nothing happens once the call has ended. */
  send(frame: Uint8Array): void
  /** Bytes handed to `send` that the client's window has not taken yet. */
  readonly queuedBytes: number
  /** Calls `listener` whenever everything queued has been taken. */
  onDrain(listener: () => void): void
  /** Calls `listener` once when the call has ended, for whatever reason. */
  onEnd(listener: () => void): void
  /** Ends the call; what was queued is sent first. Doing it twice does nothing. */
  end(status: RpcStatus): void
  readonly hasEnded: boolean
}

/** A framed answer that comes in pieces. */
export interface AnswerInPieces {
  /** Its beginning, or all of it. */
  readonly pieces: readonly Uint8Array[]
  /** What follows; its pieces are made as the client takes them. */
  readonly rest: AnswerRest | undefined
}

/** The part of an answer that is not made yet. It is read to its end, or released. */
export interface AnswerRest {
  readonly isDone: boolean
  /** Makes the next pieces. @throws  why the answer must be broken off */
  read(): readonly Uint8Array[]
  release(): void
}

/** A call of one request and one answer: it takes the answer itself, framed already, or the error to answer with. */
export interface UnaryExchange extends CallContext, Settler<Uint8Array> {
  /** Takes an answer in pieces; absent where it is needed whole. */
  readonly pieces?: Settler<AnswerInPieces> | undefined
}

export interface UnaryMethod {
  readonly kind: 'unary'
  /** Whether a learner answers it; with the request's bytes, since one method depends on them. */
  isServedByLearner(message: Uint8Array): boolean
  /** Throws what is wrong with the request whoever makes it: told before, and instead of, that a token is not valid. */
  checkFirst?(message: Uint8Array): void
  /** Sees to it that the call is answered, now or later; what it throws is the answer too. */
  handle(message: Uint8Array, call: UnaryExchange): void
}

export interface StreamMethod {
  readonly kind: 'stream'
  readonly isServedByLearner: boolean
  /** Must not throw once it has returned; later failures end the call. */
  handle(call: StreamCall): void
}

export type RpcMethod = UnaryMethod | StreamMethod

/** Service name, with its package, to its methods by name. */
export type ServiceTable = ReadonlyMap<string, ReadonlyMap<string, RpcMethod>>
