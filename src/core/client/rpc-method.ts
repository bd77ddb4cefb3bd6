/** The shape in which the generated code describes a call, reduced to what a client needs of it. */

/** A message codec. */
interface Codec<Message> {
  encode(message: Message): { finish(): Uint8Array }
  decode(bytes: Uint8Array): Message
}

/** One method of a service as the generator describes it. */
export interface RpcMethod<Request, Response> {
  readonly name: string
  readonly requestType: Codec<Request>
  readonly responseType: Codec<Response>
}

/** Path of a method on the wire, for example `/etcdserverpb.KV/Range`. */
export function rpcPath(serviceFullName: string, method: { readonly name: string }): string {
  return `/${serviceFullName}/${method.name}`
}

/** A method together with the service it belongs to; made once for each call that the client knows. */
export interface BoundMethod<Request, Response> {
  readonly path: string
  readonly serialize: (message: Request) => Buffer
  readonly deserialize: (bytes: Buffer) => Response
}

/** Prepares a method for calling. */
export function bindMethod<Request, Response>(
  service: { readonly fullName: string },
  method: RpcMethod<Request, Response>,
): BoundMethod<Request, Response> {
  return {
    path: rpcPath(service.fullName, method),
    serialize: (message) => {
      const bytes = method.requestType.encode(message).finish()
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    },
    deserialize: (bytes) => method.responseType.decode(bytes),
  }
}
