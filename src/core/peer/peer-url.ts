/** A peer URL as it can be dialled. */
export interface PeerUrl {
  readonly host: string
  readonly port: number
  /** By TLS. */
  readonly isSecure: boolean
}

/** Why a peer URL cannot be used, as one sentence; undefined for a good one. */
export function peerUrlProblem(text: string): string | undefined {
  let url: URL
  try {
    url = new URL(text)
  } catch (error) {
    return `peer URL "${text}" is not a URL (${error instanceof Error ? error.message : String(error)})`
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `peer URL "${text}" has a scheme other than http and https`
  }
  // The parsed form forgets ports 80 and 443, because they are what the schemes stand for.
  if (!/:\d+\/?$/.test(text)) return `peer URL "${text}" does not end with a port`
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return `peer URL "${text}" has a path; only scheme, host and port are allowed`
  }
  return undefined
}

/** Undefined for a URL with a problem. */
export function parsePeerUrl(text: string): PeerUrl | undefined {
  if (peerUrlProblem(text) !== undefined) return undefined
  const url = new URL(text)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const isSecure = url.protocol === 'https:'
  const defaultPort = isSecure ? 443 : 80
  return { host, port: url.port === '' ? defaultPort : Number(url.port), isSecure }
}

/** Whether a member can be reached under a URL of this form. */
export function isPeerUrl(text: string): boolean {
  return peerUrlProblem(text) === undefined
}
