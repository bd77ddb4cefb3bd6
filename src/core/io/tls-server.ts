/**
 * TLS on connections that somebody else accepted.
 *
 * A handshake that takes too long, or that ends with a certificate nobody may come in with, ends the connection; why is
 * logged, with the text that watchers of etcd's log look for.
 */
import type { Socket } from 'node:net'
import { createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls'
import type { Logger } from '../base/logger.ts'
import {
  certificateProblem,
  originProblem,
  revocationProblem,
  shownCertificates,
  type ShownCertificates,
} from './certificate-rules.ts'
import type { TlsFiles } from './tls-files.ts'

export interface TlsServerOptions {
  readonly logger: Logger
  /** Protocols offered, the best first. */
  readonly protocols: readonly string[]
  /** Log message for a connection that was refused. */
  readonly rejectedMessage: string
  /** Clients must come from where their certificates say. */
  readonly checksOrigin: boolean
  /** Gets connections that may be served. They are paused no more than a plain one is. */
  readonly onSecured: (socket: TLSSocket, client: SecuredClient) => void
}

/** What the handshake has told. */
export interface SecuredClient {
  /** One of those offered; undefined when the client named none. */
  readonly protocol: string | undefined
  /** Of the certificate that the client had to show; undefined where none is asked for. */
  readonly commonName: string | undefined
}

/** A client has this long for its side of the handshake. */
const handshakeMsMax = 10_000

/** Sentences of Go for what goes wrong in a handshake, by code. */
const sentences: Readonly<Record<string, string>> = {
  ECONNRESET: 'EOF',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "tls: client didn't provide a certificate",
  ERR_SSL_HTTP_REQUEST: 'tls: first record does not look like a TLS handshake',
  ERR_SSL_WRONG_VERSION_NUMBER: 'tls: first record does not look like a TLS handshake',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls: client offered only unsupported versions',
  ERR_SSL_NO_SHARED_CIPHER: 'tls: no cipher suite supported by both client and server',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'tls: handshake timeout',
  CERT_HAS_EXPIRED: 'x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'x509: certificate has expired or is not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'x509: certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'x509: certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'x509: certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'x509: certificate signed by unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'x509: certificate signed by unknown authority',
  INVALID_PURPOSE: 'x509: certificate specifies an incompatible key usage',
}

/** The TLS of one port. */
export class TlsServer {
  private readonly files: TlsFiles
  private readonly options: TlsServerOptions
  private readonly server: Server
  private material: TlsFiles['material']
  private isClosed = false

  constructor(files: TlsFiles, options: TlsServerOptions) {
    this.files = files
    this.options = options
    this.material = files.material
    this.server = createServer(this.serverOptions())
    this.server.on('secureConnection', (socket: TLSSocket) => {
      // What breaks from now on is told to whoever takes the socket, by its close.
      socket.on('error', ignoreSocketError)
      void this.judge(socket)
    })
    this.server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const { authorizationError } = socket as { readonly authorizationError?: unknown }
      const code = typeof authorizationError === 'string' ? authorizationError : error.code
      this.reject(socket, sentences[code ?? ''] ?? code ?? error.message)
    })
  }

  /** Begins the handshake on a connection that has said nothing, or whose first bytes wait unread. */
  accept(socket: Socket): void {
    void this.begin(socket)
  }

  /** Hands over no more connections; those in the middle of their handshake are dropped when it ends. */
  close(): void {
    this.isClosed = true
  }

  private async begin(socket: Socket): Promise<void> {
    const material = await this.files.refresh()
    if (material !== this.material) {
      this.material = material
      this.server.setSecureContext(this.serverOptions())
    }
    if (this.isClosed) socket.destroy()
    if (!socket.destroyed) this.server.emit('connection', socket)
  }

  private serverOptions(): TlsOptions {
    const { requiresClientCert, material } = this.files
    return {
      ...material.server,
      ALPNProtocols: [...this.options.protocols],
      requestCert: requiresClientCert,
      rejectUnauthorized: requiresClientCert,
      handshakeTimeout: handshakeMsMax,
    }
  }

  private async judge(socket: TLSSocket): Promise<void> {
    let commonName: string | undefined
    if (this.files.requiresClientCert) {
      const shown = shownCertificates(socket)
      const problem = shown === undefined ? 'EOF' : await this.problemOf(shown, socket)
      if (problem !== undefined) {
        this.reject(socket, problem, shown)
        return
      }
      commonName = shown?.commonName
    }
    if (this.isClosed) socket.destroy()
    if (socket.destroyed) return
    const protocol = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined
    this.options.onSecured(socket, { protocol, commonName })
  }

  private async problemOf(
    shown: ShownCertificates,
    socket: TLSSocket,
  ): Promise<string | undefined> {
    const problem = certificateProblem(this.files, shown) ?? revocationProblem(this.files, shown)
    if (problem !== undefined || !this.options.checksOrigin) return problem
    if (this.files.settings.skipsClientNameCheck) return undefined
    return originProblem(shown.leaf, socket.remoteAddress ?? '')
  }

  private reject(socket: TLSSocket, reason: string, shown?: ShownCertificates): void {
    this.options.logger.warn(this.options.rejectedMessage, {
      'remote-addr': addressOf(socket),
      'server-name': serverNameOf(socket),
      ...(shown === undefined ? {} : { names: shown.leaf.subjectAltName ?? '' }),
      error: reason,
    })
    socket.destroy()
  }
}

function addressOf(socket: TLSSocket): string {
  const { remoteAddress, remotePort } = socket
  return remoteAddress === undefined ? '' : `${remoteAddress}:${remotePort ?? 0}`
}

function serverNameOf(socket: TLSSocket): string {
  const { servername } = socket as { readonly servername?: unknown }
  return typeof servername === 'string' ? servername : ''
}

function ignoreSocketError(): void {
  return undefined
}
