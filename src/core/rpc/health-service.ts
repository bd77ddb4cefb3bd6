/** The standard gRPC health service. Only the server as a whole is known, under the empty name. */
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from '../proto/gen/health.ts'
import { decodeStreamMessage, frameOf, streamMethod, unaryMethod } from './method.ts'
import type { RpcMethod, StreamCall } from './rpc-call.ts'
import { isFatal, statusOfError, WireError } from './status-mapping.ts'

const { SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus

/** The methods of `grpc.health.v1.Health`: SERVING from the moment that calls are accepted. */
export function healthService(): ReadonlyMap<string, RpcMethod> {
  return new Map<string, RpcMethod>([
    [
      'Check',
      unaryMethod(HealthCheckRequest, (request) => {
        if (request.service !== '') {
          return Promise.reject(new WireError('notFound', 'unknown service'))
        }
        return Promise.resolve(frameOf(HealthCheckResponse, { status: SERVING }))
      }),
    ],
    ['Watch', streamMethod(watchHealth)],
  ])
}

/** Tells the state once and keeps the stream open: it changes only by the server's end, which ends the stream. */
function watchHealth(call: StreamCall): void {
  let hasAnswered = false
  call.read(
    (message) => {
      if (hasAnswered) return
      hasAnswered = true
      try {
        const { service } = decodeStreamMessage(HealthCheckRequest, message)
        const status = service === '' ? SERVING : SERVICE_UNKNOWN
        call.send(frameOf(HealthCheckResponse, { status }))
      } catch (error) {
        if (isFatal(error)) throw error
        call.end(statusOfError(error))
      }
    },
    () => undefined,
  )
}
