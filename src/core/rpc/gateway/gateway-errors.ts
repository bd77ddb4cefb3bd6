/**
 * Failures of the gateway as HTTP tells them: a status and a JSON object with the code and the text of gRPC.
 *
 * @see etcd v3 API, "JSON gateway": the rules of the gateway's second version, which etcd has used since 3.6
 */
import { sendAnswer, type HttpExchange } from '../http-exchange.ts'
import type { RpcStatus } from '../status-mapping.ts'

/** HTTP statuses by gRPC code. */
const httpStatuses: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
]

/** 401 */
const unauthorizedStatus = 401
export const jsonContentType = 'application/json'
/** Carried by what came out of a call, as the gateway's own client saw its headers. */
export const calledHeaders = { 'grpc-metadata-content-type': 'application/grpc' } as const

/** The HTTP status that stands for a gRPC code. */
export function httpStatusOf(status: RpcStatus): number {
  return httpStatuses[status.code] ?? 500
}

/** The object that tells a status. */
export function errorObjectOf(status: RpcStatus): { readonly code: number; message: string } {
  return { code: status.code, message: status.message }
}

/** Answers with a status. */
export function sendFailure(
  exchange: HttpExchange,
  status: RpcStatus,
  httpStatus = httpStatusOf(status),
): void {
  sendAnswer(exchange, {
    status: httpStatus,
    body: JSON.stringify(errorObjectOf(status)),
    contentType: jsonContentType,
    // A header cannot hold every text.
    ...(httpStatus === unauthorizedStatus && /^[\x20-\x7e]*$/.test(status.message)
      ? { headers: { 'www-authenticate': status.message } }
      : {}),
  })
}
