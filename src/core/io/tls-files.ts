/**
 * Certificates, keys and lists of one port, as files that may be renewed at any time.
 *
 * A node runs for longer than a certificate is valid. So before each handshake the files are looked at, and read again when
 * one of them has changed. A state that makes no sense, as between the renewal of a certificate and that of its key, is
 * reported and not used: the port goes on with what it has.
 */
import { constants } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { Logger } from '../base/logger.ts'
import { cipherListOf } from './cipher-suites.ts'
import { parseRevokedSerials } from './revocation-list.ts'

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** How a port does TLS, in both directions. Files that are not there are empty texts. */
export interface TlsSettings {
  readonly certFile: string
  readonly keyFile: string
  /** Shown when we are the client; the server's when empty. */
  readonly clientCertFile: string
  readonly clientKeyFile: string
  /** Authorities for the other side's certificates; the system's when empty. */
  readonly trustedCaFile: string
  /** Revoked certificates of clients. */
  readonly crlFile: string
  /** Clients must show a certificate; a trusted authority alone asks for it too, as in etcd. */
  readonly requiresClientCert: boolean
  /** If any: the common names that the other side's certificate may have. */
  readonly allowedCommonNames: readonly string[]
  /** If any: the names of which the other side's certificate must be for one. */
  readonly allowedHostnames: readonly string[]
  /** IANA's names; empty for the default. */
  readonly cipherSuites: readonly string[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** The certificate was made by this program: nobody vouches for it, and members do not ask. */
  readonly isSelfSigned: boolean
  /** Names and addresses in a client's certificate need not be those it comes from. */
  readonly skipsClientNameCheck: boolean
}

/** What the files hold. */
export interface TlsMaterial {
  /** For the side that is connected to. */
  readonly server: SecureContextOptions
  /** For the side that connects. */
  readonly client: SecureContextOptions
  /** Serial numbers of revoked certificates, in lower case hex without leading zeros. */
  readonly revokedSerials: ReadonlySet<string>
}

/** The files of one port. */
export class TlsFiles {
  readonly settings: TlsSettings
  private readonly logger: Logger
  private content: TlsMaterial
  private fingerprint: string
  private lastProblem = ''
  private refreshing: Promise<void> | undefined

  private constructor(
    settings: TlsSettings,
    logger: Logger,
    read: { readonly content: TlsMaterial; readonly fingerprint: string },
  ) {
    this.settings = settings
    this.logger = logger
    this.content = read.content
    this.fingerprint = read.fingerprint
  }

  /**
   * Reads everything once.
   * @throws Error  with etcd's sentence for what cannot be used
   */
  static async open(settings: TlsSettings, logger: Logger): Promise<TlsFiles> {
    requireSense(settings)
    const fingerprint = await fingerprintOf(settings)
    return new TlsFiles(settings, logger, { content: await load(settings), fingerprint })
  }

  get material(): TlsMaterial {
    return this.content
  }

  /** Clients must show a certificate. */
  get requiresClientCert(): boolean {
    return this.settings.requiresClientCert || this.settings.trustedCaFile !== ''
  }

  /** Looks whether a file has changed, and reads them again if so. Never rejects. */
  async refresh(): Promise<TlsMaterial> {
    this.refreshing ??= this.look().finally(() => {
      this.refreshing = undefined
    })
    await this.refreshing
    return this.content
  }

  private async look(): Promise<void> {
    try {
      const fingerprint = await fingerprintOf(this.settings)
      if (fingerprint === this.fingerprint) return
      this.content = await load(this.settings)
      this.fingerprint = fingerprint
      this.lastProblem = ''
      this.logger.info('certificate files have changed', { 'cert-file': this.settings.certFile })
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      if (problem === this.lastProblem) return
      this.lastProblem = problem
      this.logger.warn('changed certificate files cannot be used', { error: problem })
    }
  }
}

/** @throws Error  settings that contradict each other */
function requireSense(settings: TlsSettings): void {
  const { certFile, keyFile, clientCertFile, clientKeyFile } = settings
  if (certFile === '' || keyFile === '') {
    throw new Error(`KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`)
  }
  if ((clientCertFile === '') !== (clientKeyFile === '')) {
    throw new Error(
      `ClientKeyFile and ClientCertFile must both be present or both absent: key: ${clientKeyFile}, cert: ${clientCertFile}]`,
    )
  }
  const { allowedCommonNames, allowedHostnames } = settings
  if (allowedCommonNames.length > 0 && allowedHostnames.length > 0) {
    throw new Error(
      `AllowedCNs and AllowedHostnames are mutually exclusive [cns: [${allowedCommonNames.join(' ')}], hostnames: [${allowedHostnames.join(' ')}]]`,
    )
  }
}

async function load(settings: TlsSettings): Promise<TlsMaterial> {
  const ca = await readIfNamed(settings.trustedCaFile)
  const shared: SecureContextOptions = {
    minVersion: settings.minVersion,
    maxVersion: settings.maxVersion,
    // Whoever comes back must show a certificate again: it may have been revoked.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(ca === undefined ? {} : { ca }),
  }
  const ciphers = cipherListOf(settings.cipherSuites)
  const server = {
    ...shared,
    ...(await readPair(settings.certFile, settings.keyFile)),
    ...(ciphers === undefined ? {} : { ciphers }),
  }
  const client =
    settings.clientCertFile === ''
      ? server
      : { ...server, ...(await readPair(settings.clientCertFile, settings.clientKeyFile)) }
  const crl = await readIfNamed(settings.crlFile)
  const revokedSerials = crl === undefined ? new Set<string>() : await parseRevokedSerials(crl)
  return { server, client, revokedSerials }
}

async function readPair(certFile: string, keyFile: string): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, key] = await Promise.all([readNamed(certFile), readNamed(keyFile)])
  if (!cert.includes('-----BEGIN')) {
    throw new Error('tls: failed to find any PEM data in certificate input')
  }
  if (!key.includes('-----BEGIN')) {
    throw new Error('tls: failed to find any PEM data in key input')
  }
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (/mismatch/i.test(reason)) {
      throw new Error('tls: private key does not match public key', { cause: error })
    }
    throw new Error(`tls: certificate or key cannot be used: ${reason}`, { cause: error })
  }
  return { cert, key }
}

async function readIfNamed(path: string): Promise<Buffer | undefined> {
  return path === '' ? undefined : readNamed(path)
}

/** @throws Error  with the sentence that Go has for it */
async function readNamed(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new Error(sentenceOf(path, error), { cause: error })
  }
}

function sentenceOf(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return `open ${path}: no such file or directory`
  if (code === 'EACCES') return `open ${path}: permission denied`
  return message
}

/** Changes whenever a file is replaced or written. */
async function fingerprintOf(settings: TlsSettings): Promise<string> {
  const { certFile, keyFile, clientCertFile, clientKeyFile, trustedCaFile, crlFile } = settings
  const paths = [certFile, keyFile, clientCertFile, clientKeyFile, trustedCaFile, crlFile]
  const parts = await Promise.all(
    paths
      .filter((path) => path !== '')
      .map(async (path) => {
        try {
          const { ino, size, mtimeNs } = await stat(path, { bigint: true })
          return `${ino} ${size} ${mtimeNs}`
        } catch (error) {
          throw new Error(sentenceOf(path, error), { cause: error })
        }
      }),
  )
  return parts.join('\n')
}
