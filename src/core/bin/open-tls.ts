/** Makes ready what the ports need for TLS: reads the files, or makes a certificate where that is wanted. */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { selfSignedCertificate } from '../io/self-signed-certificate.ts'
import { TlsFiles } from '../io/tls-files.ts'
import { TlsServer } from '../io/tls-server.ts'
import type { SecurerFactory } from '../rpc/client-port.ts'
import type { PortTls } from './tls-config.ts'

/** Protocols of the client port. gRPC clients insist on the first. */
const clientProtocols = ['h2', 'http/1.1']

/**
 * The files of one port.
 *
 * @param port  `client` or `peer`: the folder under the data directory that a made certificate is kept in
 * @throws Error  with etcd's sentence for what cannot be used
 */
export async function openPortTls(
  tls: PortTls,
  place: { readonly dataDirectory: string; readonly port: 'client' | 'peer' },
  environment: { readonly clock: Clock; readonly logger: Logger },
): Promise<TlsFiles> {
  const { settings, madeFor, validityYears } = tls
  if (madeFor === undefined) return TlsFiles.open(settings, environment.logger)
  const folder = join(place.dataDirectory, 'fixtures', place.port)
  const made = await selfSignedCertificate(folder, {
    hosts: madeFor,
    validityYears,
    nowMs: environment.clock.wallMs(),
  })
  return TlsFiles.open({ ...settings, ...made }, environment.logger)
}

/**
 * How the client port does TLS.
 * @param identifiesClients  whether calls are told the common names of certificates
 */
export function clientSecurer(
  files: TlsFiles,
  options: { readonly identifiesClients: boolean; readonly logger: Logger },
): SecurerFactory {
  return (onSecured) =>
    new TlsServer(files, {
      logger: options.logger,
      protocols: clientProtocols,
      rejectedMessage: 'rejected connection on client endpoint',
      checksOrigin: false,
      onSecured: (socket, { protocol, commonName }) => {
        onSecured({
          socket,
          protocol,
          commonName: options.identifiesClients ? commonName : undefined,
        })
      },
    })
}
