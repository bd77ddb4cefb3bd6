/** Builds methods from a request codec and a function, so that every service decodes and fails alike. */
import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { CallContext, RpcMethod, StreamMethod, UnaryMethod } from './rpc-call.ts'
import { WireError } from './status-mapping.ts'
import { frameMessage } from './wire-writer.ts'

/** The decoding half of a generated codec. */
export interface RequestCodec<Request> {
  decode(bytes: Uint8Array): Request
}

/** The encoding half of a generated codec. */
export interface ResponseCodec<Response> {
  encode(message: Response): BinaryWriter
}

/** A unary method that answers with a frame. A learner refuses it unless told otherwise. */
export function unaryMethod<Request>(
  codec: RequestCodec<Request>,
  handle: (request: Request, context: CallContext) => Promise<Uint8Array>,
  isServedByLearner: (request: Request) => boolean = () => false,
): UnaryMethod {
  return {
    kind: 'unary',
    handle: (message, context) => handle(decodeRequest(codec, message), context),
    isServedByLearner: (message) => isServedByLearner(decodeRequest(codec, message)),
  }
}

/** Encodes a response with its generated codec and frames it. */
export function frameOf<Response>(codec: ResponseCodec<Response>, response: Response): Uint8Array {
  return frameMessage(codec.encode(response).finish())
}

/** A stream method that learners refuse. */
export function streamMethod(handle: StreamMethod['handle']): RpcMethod {
  return { kind: 'stream', handle, isServedByLearner: false }
}

function decodeRequest<Request>(codec: RequestCodec<Request>, message: Uint8Array): Request {
  try {
    return codec.decode(message)
  } catch (error) {
    throw new WireError('internal', `grpc: error unmarshalling request: ${reasonOf(error)}`, {
      cause: error,
    })
  }
}

/**
 * Decodes a message of a stream.
 * @throws WireError  with grpc-go's text for streams
 */
export function decodeStreamMessage<Request>(
  codec: RequestCodec<Request>,
  message: Uint8Array,
): Request {
  try {
    return codec.decode(message)
  } catch (error) {
    throw new WireError(
      'internal',
      `grpc: failed to unmarshal the received message: ${reasonOf(error)}`,
      { cause: error },
    )
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
