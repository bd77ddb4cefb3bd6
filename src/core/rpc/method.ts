/** Builds methods from a request codec and a function, so that every service decodes and fails alike. */
import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { Settler } from '../base/settler.ts'
import type {
  CallContext,
  RpcMethod,
  StreamMethod,
  UnaryExchange,
  UnaryMethod,
} from './rpc-call.ts'
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
    handle: (message, call) => {
      handle(decodeRequest(codec, message), call).then(
        (frame) => {
          call.succeed(frame)
        },
        (error: unknown) => {
          call.fail(error)
        },
      )
    },
    isServedByLearner: (message) => isServedByLearner(decodeRequest(codec, message)),
  }
}

/**
 * A unary method without promises, for what is asked most.
 *
 * @param begin  sees to it that the call is answered, perhaps at once; what it throws is the answer too
 */
export function directMethod<Request>(
  codec: RequestCodec<Request>,
  begin: (request: Request, call: UnaryExchange) => void,
  isServedByLearner: (request: Request) => boolean = () => false,
): UnaryMethod {
  return {
    kind: 'unary',
    handle: (message, call) => {
      begin(decodeRequest(codec, message), call)
    },
    isServedByLearner: (message) => isServedByLearner(decodeRequest(codec, message)),
  }
}

/** The same method with a check of the request that comes before the question who makes it. */
export function checkedFirst<Request>(
  method: UnaryMethod,
  codec: RequestCodec<Request>,
  check: (request: Request) => void,
): UnaryMethod {
  return {
    ...method,
    checkFirst: (message) => {
      check(decodeRequest(codec, message))
    },
  }
}

/** Answers a call with an encoded result. */
export class Answering<Request, Result> implements Settler<Result> {
  private readonly call: UnaryExchange
  private readonly request: Request
  private readonly encode: (result: Result, request: Request) => Uint8Array

  constructor(
    call: UnaryExchange,
    request: Request,
    encode: (result: Result, request: Request) => Uint8Array,
  ) {
    this.call = call
    this.request = request
    this.encode = encode
  }

  succeed(result: Result): void {
    let frame: Uint8Array
    try {
      frame = this.encode(result, this.request)
    } catch (error) {
      this.call.fail(error)
      return
    }
    this.call.succeed(frame)
  }

  fail(error: unknown): void {
    this.call.fail(error)
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
