/** A peer URL as it can be dialled. The seam for TLS: once it is there, `https` is accepted here and dialled in one place. */
export interface PeerUrl {
  readonly host: string
  readonly port: number
}

/** Why a peer URL cannot be used, as one sentence; undefined for a good one. */
export function peerUrlProblem(text: string): string | undefined {
  let url: URL
  try {
    url = new URL(text)
  } catch (error) {
    return `peer URL "${text}" is not a URL (${error instanceof Error ? error.message : String(error)})`
  }
  if (url.protocol === 'https:') {
    return `peer URL "${text}" needs TLS between members, which this version does not have; use http`
  }
  if (url.protocol !== 'http:') return `peer URL "${text}" has a scheme other than http`
  // The parsed form forgets port 80, because it is what http stands for.
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
  return { host, port: url.port === '' ? 80 : Number(url.port) }
}
