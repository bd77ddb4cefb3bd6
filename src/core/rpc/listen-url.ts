/** Addresses to listen on, as flags give them. */

/** Where to listen. `unix` means a socket file; TLS schemes are parsed so that they can be refused by name. */
export interface ListenUrl {
  readonly scheme: 'http' | 'https' | 'unix' | 'unixs'
  /** Host without brackets; of a socket file the path. */
  readonly host: string
  /** 0: any free port. Of a socket file 0. */
  readonly port: number
  /** As given. */
  readonly text: string
}

/**
 * Parses one URL of a list such as `--listen-client-urls`.
 * @throws Error  with etcd's sentence for what is wrong
 */
export function parseListenUrl(text: string): ListenUrl {
  const match = /^([a-z]+):\/\/([^/?#]*)([^?#]*)$/.exec(text.trim())
  const [, scheme = '', authority = '', path = ''] = match ?? []
  if (match === null || !isScheme(scheme)) {
    throw new Error(`URL scheme must be http, https, unix, or unixs: ${text}`)
  }
  if (scheme === 'unix' || scheme === 'unixs') {
    return { scheme, host: authority + path, port: 0, text: text.trim() }
  }
  if (path !== '' && path !== '/') throw new Error(`URL must not contain a path: ${text}`)
  const hostAndPort = /^(\[[0-9a-fA-F:.%]+\]|[^:[\]]*):(\d{1,5})$/.exec(authority)
  const port = Number(hostAndPort?.[2])
  if (hostAndPort === null || port > 65_535) {
    throw new Error(`URL address does not have the form "host:port": ${text}`)
  }
  const host = (hostAndPort[1] ?? '').replace(/^\[|\]$/g, '')
  return { scheme, host, port, text: text.trim() }
}

function isScheme(scheme: string): scheme is ListenUrl['scheme'] {
  return ['http', 'https', 'unix', 'unixs'].includes(scheme)
}
