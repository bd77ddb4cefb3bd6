/**
 * From flags to how the ports do TLS, with etcd's rules for what may be combined.
 *
 * @see etcd v3 API, "Security and auth"
 */
import { isCipherSuite } from '../io/cipher-suites.ts'
import type { TlsSettings, TlsVersion } from '../io/tls-files.ts'
import { isTlsUrl } from '../rpc/client-port.ts'
import type { ListenUrl } from '../rpc/listen-url.ts'

/** TLS of one port, before its files have been read or made. */
export interface PortTls {
  readonly settings: TlsSettings
  /** A certificate is to be made for these hosts, and kept; undefined when one is given. */
  readonly madeFor: readonly string[] | undefined
  readonly validityYears: number
}

/** Texts of flags, by name. */
export interface FlagTexts {
  text(name: string): string
  boolean(name: string): boolean
  integer(name: string): number
}

export interface TlsConfig {
  /** Undefined when there is neither a certificate nor the wish to make one. */
  readonly client: PortTls | undefined
  readonly peer: PortTls | undefined
  /** Whether the common name of a client's certificate tells who it is. */
  readonly identifiesClients: boolean
  /** What is strange and no reason not to start. */
  readonly warnings: readonly TlsWarning[]
}

export interface TlsWarning {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

const versions: Readonly<Record<string, TlsVersion>> = { 'TLS1.2': 'TLSv1.2', 'TLS1.3': 'TLSv1.3' }

/** Reads all flags of TLS. Adds what is wrong to `problems`, with etcd's sentences. */
export function tlsConfigOf(
  read: FlagTexts,
  urls: { readonly client: readonly ListenUrl[]; readonly peer: readonly ListenUrl[] },
  problems: string[],
): TlsConfig {
  const protocol = protocolOf(read, problems)
  const client = portOf(
    {
      certFile: read.text('cert-file'),
      keyFile: read.text('key-file'),
      clientCertFile: read.text('client-cert-file'),
      clientKeyFile: read.text('client-key-file'),
      trustedCaFile: read.text('trusted-ca-file'),
      crlFile: read.text('client-crl-file'),
      requiresClientCert: read.boolean('client-cert-auth'),
      allowedCommonNames: [],
      allowedHostnames: listOf(read.text('client-cert-allowed-hostname')),
      skipsClientNameCheck: true,
      isSelfSigned: false,
      ...protocol,
    },
    { isAutomatic: read.boolean('auto-tls'), urls: urls.client, read },
  )
  const peer = portOf(
    {
      certFile: read.text('peer-cert-file'),
      keyFile: read.text('peer-key-file'),
      clientCertFile: read.text('peer-client-cert-file'),
      clientKeyFile: read.text('peer-client-key-file'),
      trustedCaFile: read.text('peer-trusted-ca-file'),
      crlFile: read.text('peer-crl-file'),
      requiresClientCert: read.boolean('peer-client-cert-auth'),
      allowedCommonNames: listOf(read.text('peer-cert-allowed-cn')),
      allowedHostnames: listOf(read.text('peer-cert-allowed-hostname')),
      skipsClientNameCheck: read.boolean('peer-skip-client-san-verification'),
      isSelfSigned: false,
      ...protocol,
    },
    { isAutomatic: read.boolean('peer-auto-tls'), urls: urls.peer, read },
  )
  problems.push(...missingOf({ client, peer }, urls))
  return {
    client,
    peer,
    identifiesClients: read.boolean('client-cert-auth'),
    warnings: warningsOf(read, { client, peer }, urls),
  }
}

function protocolOf(
  read: FlagTexts,
  problems: string[],
): Pick<TlsSettings, 'cipherSuites' | 'minVersion' | 'maxVersion'> {
  const versionOf = (name: string, fallback: TlsVersion): TlsVersion => {
    const text = read.text(name)
    const version = text === '' ? fallback : versions[text]
    if (version === undefined) problems.push(`unexpected TLS version ${JSON.stringify(text)}`)
    return version ?? fallback
  }
  const minVersion = versionOf('tls-min-version', 'TLSv1.2')
  const maxVersion = versionOf('tls-max-version', 'TLSv1.3')
  const cipherSuites = listOf(read.text('cipher-suites'))
  if (minVersion > maxVersion) {
    problems.push(
      `min version (${read.text('tls-min-version')}) is greater than max version (${read.text('tls-max-version')})`,
    )
  }
  if (minVersion === 'TLSv1.3' && cipherSuites.length > 0) {
    problems.push('cipher suites cannot be configured when only TLS1.3 is enabled')
  }
  for (const name of cipherSuites) {
    if (!isCipherSuite(name)) problems.push(`unexpected TLS cipher suite ${JSON.stringify(name)}`)
  }
  return { cipherSuites, minVersion, maxVersion }
}

function portOf(
  settings: TlsSettings,
  from: {
    readonly isAutomatic: boolean
    readonly urls: readonly ListenUrl[]
    readonly read: FlagTexts
  },
): PortTls | undefined {
  const validityYears = from.read.integer('self-signed-cert-validity')
  if (!isEmpty(settings)) return { settings, madeFor: undefined, validityYears }
  if (!from.isAutomatic) return undefined
  return {
    settings: { ...settings, isSelfSigned: true },
    madeFor: from.urls.map(({ host }) => host),
    validityYears,
  }
}

/** etcd asks for the two that make a server; anything else alone does nothing. */
function isEmpty({ certFile, keyFile }: TlsSettings): boolean {
  return certFile === '' && keyFile === ''
}

function missingOf(
  ports: Pick<TlsConfig, 'client' | 'peer'>,
  urls: { readonly client: readonly ListenUrl[]; readonly peer: readonly ListenUrl[] },
): string[] {
  const clientUrls = ports.client === undefined ? urls.client.filter(isTlsUrl) : []
  const peerUrls = ports.peer === undefined ? urls.peer.filter(isTlsUrl) : []
  return [
    ...clientUrls.map(
      ({ text }) =>
        `TLS key/cert (--cert-file, --key-file) must be provided for client url ${text} with HTTPS scheme`,
    ),
    ...peerUrls.map(
      ({ text }) => `cannot listen on TLS for ${text}: KeyFile and CertFile are not presented`,
    ),
  ]
}

function warningsOf(
  read: FlagTexts,
  ports: Pick<TlsConfig, 'client' | 'peer'>,
  urls: { readonly client: readonly ListenUrl[]; readonly peer: readonly ListenUrl[] },
): readonly TlsWarning[] {
  const warnings: TlsWarning[] = []
  if (read.boolean('auto-tls') && ports.client?.madeFor === undefined) {
    warnings.push({ message: 'ignoring client auto TLS since certs given', fields: {} })
  }
  if (read.boolean('peer-auto-tls') && ports.peer?.madeFor === undefined) {
    warnings.push({ message: 'ignoring peer auto TLS since certs given', fields: {} })
  }
  for (const { text } of urls.client.filter((url) => !isTlsUrl(url))) {
    const fields = { 'client-url': text }
    if (ports.client !== undefined) {
      warnings.push({
        message:
          'scheme is http or unix while key and cert files are present; ignoring key and cert files',
        fields,
      })
    }
    if (read.boolean('client-cert-auth')) {
      warnings.push({
        message:
          'scheme is http or unix while --client-cert-auth is enabled; ignoring client cert auth for this URL',
        fields,
      })
    }
  }
  for (const { text } of urls.peer.filter((url) => !isTlsUrl(url))) {
    const fields = { 'peer-url': text }
    if (ports.peer !== undefined) {
      warnings.push({
        message: 'scheme is HTTP while key and cert files are present; ignoring key and cert files',
        fields,
      })
    }
    if (read.boolean('peer-client-cert-auth')) {
      warnings.push({
        message:
          'scheme is HTTP while --peer-client-cert-auth is enabled; ignoring client cert auth for this URL',
        fields,
      })
    }
  }
  return warnings
}

function listOf(text: string): readonly string[] {
  return text.split(',').filter((part) => part !== '')
}
