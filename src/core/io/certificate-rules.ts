/**
 * What the other side's certificate must say, beside being signed by a trusted authority.
 *
 * @see etcd, "Transport security model": allowed common names and host names, names of clients, revocation
 */
import type { X509Certificate } from 'node:crypto'
import { lookup, reverse } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { normalSerial } from './revocation-list.ts'
import type { TlsFiles } from './tls-files.ts'

/** A certificate that was shown, with what it was signed by as far as that was sent too. */
export interface ShownCertificates {
  /** Empty when it has none. */
  readonly commonName: string
  readonly leaf: X509Certificate
  readonly serials: readonly string[]
}

/** Undefined when none was shown. */
export function shownCertificates(socket: TLSSocket): ShownCertificates | undefined {
  const first = socket.getPeerCertificate(true)
  const leaf = socket.getPeerX509Certificate()
  // Without a certificate there is an object with nothing in it.
  if (leaf === undefined || (first as { readonly raw?: Buffer }).raw === undefined) return undefined
  const serials: string[] = []
  let current = first
  for (let count = 0; count < chainLengthMax; count++) {
    serials.push(normalSerial(current.serialNumber))
    const issuer = current.issuerCertificate as typeof current | undefined
    // The last one is its own issuer.
    if (issuer === undefined || issuer === current) break
    current = issuer
  }
  // A name may stand several times; as in Go the last one counts.
  const named = first.subject.CN as string | readonly string[] | undefined
  const commonName = typeof named === 'string' ? named : (named?.at(-1) ?? '')
  return { commonName, leaf, serials }
}

/** More certificates are not looked at; real chains have three. */
const chainLengthMax = 16

/** Why certificates that the authority vouches for are refused all the same; undefined for welcome ones. */
export function certificateProblem(
  files: TlsFiles,
  { commonName, leaf }: ShownCertificates,
): string | undefined {
  const { allowedCommonNames, allowedHostnames } = files.settings
  const isNameWrong = allowedCommonNames.length > 0 && !allowedCommonNames.includes(commonName)
  const isHostWrong =
    allowedHostnames.length > 0 && !allowedHostnames.some((name) => isFor(leaf, name))
  return isNameWrong || isHostWrong ? 'client certificate authentication failed' : undefined
}

/** Whether one of the certificates is on the list of revoked ones; undefined if not. */
export function revocationProblem(
  files: TlsFiles,
  { serials }: ShownCertificates,
): string | undefined {
  const { revokedSerials } = files.material
  const revoked = serials.find((serial) => revokedSerials.has(serial))
  return revoked === undefined ? undefined : `transport: certificate serial ${revoked} revoked`
}

/**
 * Whether a client comes from where its certificate says. One without names and addresses may come from anywhere.
 * @returns why it is refused, or undefined
 */
export async function originProblem(
  leaf: X509Certificate,
  remoteAddress: string,
): Promise<string | undefined> {
  const { addresses, names } = alternativesOf(leaf)
  if (addresses.length === 0 && names.length === 0) return undefined
  const address = remoteAddress.replace(/^::ffff:/, '')
  if (addresses.length > 0) {
    if (leaf.checkIP(address) !== undefined) return undefined
    if (names.length === 0) {
      return `x509: certificate is valid for ${addresses.join(', ')}, not ${address}`
    }
  }
  for (const name of names) {
    if (await isAddressOf(name, address)) return undefined
  }
  const list = names.map((name) => `"${name}"`).join(' ')
  return `tls: "${address}" does not match any of DNSNames [${list}]`
}

function isFor(leaf: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return leaf.checkIP(name) !== undefined
  return leaf.checkHost(name, { subject: 'never' }) !== undefined
}

function alternativesOf(leaf: X509Certificate): {
  readonly addresses: readonly string[]
  readonly names: readonly string[]
} {
  const entries = (leaf.subjectAltName ?? '').split(', ')
  const valuesOf = (prefix: string): string[] =>
    entries.filter((entry) => entry.startsWith(prefix)).map((entry) => entry.slice(prefix.length))
  return { addresses: valuesOf('IP Address:'), names: valuesOf('DNS:') }
}

async function isAddressOf(name: string, address: string): Promise<boolean> {
  try {
    if (name.startsWith('*.')) {
      const suffix = name.slice(1).toLowerCase()
      const hosts = await reverse(address)
      return hosts.some((host) => {
        const lower = host.toLowerCase().replace(/\.$/, '')
        return lower.endsWith(suffix) && !lower.slice(0, -suffix.length).includes('.')
      })
    }
    const found = await lookup(name, { all: true })
    return found.some((entry) => entry.address === address)
  } catch (error) {
    // A name that cannot be resolved is nobody's.
    if (error instanceof Error) return false
    throw error
  }
}
