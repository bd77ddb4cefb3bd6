/** Opening connections to other members, with and without TLS: the one place that knows the difference. */
import { Agent, request, type ClientRequest, type RequestOptions } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import type { TlsDialer } from '../io/tls-client.ts'
import type { PeerUrl } from './peer-url.ts'

/** Begins a request; the caller ends it. Without `tls`, members are verified by the system's authorities. */
export function dialPeer(
  url: PeerUrl,
  tls: TlsDialer | undefined,
  options: RequestOptions,
): ClientRequest {
  const { host, port } = url
  if (!url.isSecure) return request({ ...options, host, port })
  return secureRequest({ ...tls?.options(), ...options, host, port })
}

/** Connections that are kept, of both kinds. */
export class PeerAgents {
  private readonly plain: Agent
  private readonly secure: SecureAgent

  constructor(socketCountMax: number) {
    const options = { keepAlive: true, maxSockets: socketCountMax, noDelay: true }
    this.plain = new Agent(options)
    this.secure = new SecureAgent(options)
  }

  /** The one for a URL. */
  for(url: PeerUrl): Agent {
    return url.isSecure ? this.secure : this.plain
  }

  destroy(): void {
    this.plain.destroy()
    this.secure.destroy()
  }
}
