/** Routes of the peer port that take a body and answer with one: questions between members that are not Raft's. */
import { readBody, type PeerRoute } from './peer-routes.ts'

/** Answers the question in a body; must not reject. */
export type PostAnswer = (
  path: string,
  body: Uint8Array,
) => Promise<{ readonly status: number; readonly body: Uint8Array }>

/** A route for POST requests, told the path that was asked for; with etcd's answers to other methods and to a body that cannot be read. */
export function postRoute(answer: PostAnswer): PeerRoute {
  return (request, response) => {
    if (request.method !== 'POST') {
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
      const isMessage = answered.status === 200
      response.writeHead(answered.status, {
        'Content-Type': isMessage ? 'application/protobuf' : 'text/plain; charset=utf-8',
      })
      response.end(answered.body)
    }
    respond().catch((error: unknown) => {
      // Only a broken connection fails here, and with it nobody is left to be told.
      response.destroy(error instanceof Error ? error : undefined)
    })
  }
}
