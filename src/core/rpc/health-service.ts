/** The standard gRPC health service. Only the server as a whole is known, under the empty name. */
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from '../proto/gen/health.ts'
import { decodeStreamMessage, frameOf, streamMethod, unaryMethod } from './method.ts'
import type { ServingState } from './serving-state.ts'
import type { RpcMethod, StreamCall } from './rpc-call.ts'
import { isFatal, statusOfError, WireError } from './status-mapping.ts'

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus

/** The methods of `grpc.health.v1.Health`: SERVING from the moment that calls are accepted, but where the state says otherwise. */
export function healthService(state: ServingState): ReadonlyMap<string, RpcMethod> {
  return new Map<string, RpcMethod>([
    [
      'Check',
      unaryMethod(HealthCheckRequest, (request) => {
        if (request.service !== '') {
          return Promise.reject(new WireError('notFound', 'unknown service'))
        }
        return Promise.resolve(frameOf(HealthCheckResponse, { status: statusOf(state) }))
      }),
    ],
    [
      'Watch',
      streamMethod((call) => {
        watchHealth(call, state)
      }),
    ],
  ])
}

const statusOf = (state: ServingState): HealthCheckResponse_ServingStatus =>
  state.isServing ? SERVING : NOT_SERVING

/** Tells the state, and each change of it, until the server's end, which ends the stream. */
function watchHealth(call: StreamCall, state: ServingState): void {
  let hasAnswered = false
  call.read(
    (message) => {
      if (hasAnswered) return
      hasAnswered = true
      try {
        const { service } = decodeStreamMessage(HealthCheckRequest, message)
        const tell = (): void => {
          const status = service === '' ? statusOf(state) : SERVICE_UNKNOWN
          call.send(frameOf(HealthCheckResponse, { status }))
        }
        tell()
        if (service === '') call.onEnd(state.onChange(tell))
      } catch (error) {
        if (isFatal(error)) throw error
        call.end(statusOfError(error))
      }
    },
    () => undefined,
  )
}
