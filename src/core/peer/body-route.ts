/** Routes of the peer port that take a body and answer with one: questions between members that are not Raft's. */
import { type ClusterId, hexId } from '../base/ids.ts'
import { handshakeTexts, headerOf } from './handshake.ts'
import { readBody, type PeerRoute } from './peer-routes.ts'

/** Answers the question in a body; must not reject. */
export type BodyAnswer = (
  path: string,
  body: Uint8Array,
) => Promise<{ readonly status: number; readonly body: Uint8Array }>

/**
 * A route for requests of one method, told the path that was asked for; with etcd's answers to other methods and to a body
 * that cannot be read. What is asked by POST is answered in protobuf, the rest in JSON.
 */
export function bodyRoute(method: 'GET' | 'POST', answer: BodyAnswer): PeerRoute {
  const messageType = method === 'POST' ? 'application/protobuf' : 'application/json'
  return (request, response) => {
    if (request.method !== method) {
      response.writeHead(405, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end('Method Not Allowed\n')
      return
    }
    const respond = async (): Promise<void> => {
      const body = await readBody(request)
      if (body === undefined) {
        response.writeHead(400).end('error reading body\n')
        return
      }
      const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
      const answered = await answer(path, body)
      response.writeHead(answered.status, {
        'Content-Type': answered.status === 200 ? messageType : 'text/plain; charset=utf-8',
      })
      response.end(answered.body)
    }
    respond().catch((error: unknown) => {
      // Only a broken connection fails here, and with it nobody is left to be told.
      response.destroy(error instanceof Error ? error : undefined)
    })
  }
}

/** A route that says which cluster answers, and refuses those who mean another one. */
export function clusterRoute(clusterId: ClusterId, route: PeerRoute): PeerRoute {
  return (request, response) => {
    const meant = headerOf(request.headers, 'x-etcd-cluster-id') ?? ''
    if (meant !== '' && meant !== hexId(clusterId)) {
      response.writeHead(412, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end(`${handshakeTexts.clusterIdMismatch}\n`)
      return
    }
    response.setHeader('X-Etcd-Cluster-ID', hexId(clusterId))
    route(request, response)
  }
}
