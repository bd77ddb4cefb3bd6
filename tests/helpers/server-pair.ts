/** A real etcd and one of our nodes side by side, started alike, for tests that compare them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quoratedProgram, readyLine } from './quorated.ts'
import { freePorts } from './real-etcd.ts'
import { ServerProcess } from './server-process.ts'

/** One of the two servers. */
export interface PairedServer {
  readonly kind: 'etcd' | 'quorate'
  readonly clientUrl: string
  readonly peerUrl: string
  /** Host and port of the client URL. */
  readonly endpoint: string
  readonly process: ServerProcess
}

export interface PairOptions {
  /** The real etcd; without it the one on the PATH. */
  readonly etcdProgram?: string
  /** What clients speak to them; TLS needs flags, too. */
  readonly clientScheme?: 'http' | 'https'
  /** Given to both. */
  readonly flags?: readonly string[]
}

/** Both servers, each with one member called `node1`. */
export class ServerPair {
  readonly etcd: PairedServer
  readonly quorate: PairedServer
  private readonly folder: string

  private constructor(etcd: PairedServer, quorate: PairedServer, folder: string) {
    this.etcd = etcd
    this.quorate = quorate
    this.folder = folder
  }

  static async start(options: PairOptions = {}): Promise<ServerPair> {
    const folder = mkdtempSync(join(tmpdir(), 'server-pair-'))
    const [etcdClient, etcdPeer, ownClient, ownPeer] = await freePorts(4)
    const pair = new ServerPair(
      startOne('etcd', folder, { client: etcdClient ?? 0, peer: etcdPeer ?? 0, ...options }),
      startOne('quorate', folder, { client: ownClient ?? 0, peer: ownPeer ?? 0, ...options }),
      folder,
    )
    await Promise.all(pair.servers.map(({ process }) => process.waitForLine(readyLine)))
    return pair
  }

  get servers(): readonly PairedServer[] {
    return [this.etcd, this.quorate]
  }

  /** Asks both the same, one after the other. */
  async both<Answer>(ask: (server: PairedServer) => Promise<Answer>): Promise<{
    etcd: Answer
    quorate: Answer
  }> {
    const etcd = await ask(this.etcd)
    return { etcd, quorate: await ask(this.quorate) }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.servers.map(({ process }) => process.kill()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function startOne(
  kind: PairedServer['kind'],
  folder: string,
  ports: PairOptions & { readonly client: number; readonly peer: number },
): PairedServer {
  const endpoint = `127.0.0.1:${ports.client}`
  const clientUrl = `${ports.clientScheme ?? 'http'}://${endpoint}`
  const peerUrl = `http://127.0.0.1:${ports.peer}`
  const process = new ServerProcess(
    kind === 'etcd' ? (ports.etcdProgram ?? 'etcd') : quoratedProgram,
    {
      args: [
        '--name=node1',
        `--data-dir=${join(folder, kind)}`,
        `--listen-client-urls=${clientUrl}`,
        `--advertise-client-urls=${clientUrl}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=node1=${peerUrl}`,
        ...(ports.flags ?? []),
      ],
    },
  )
  return { kind, clientUrl, peerUrl, endpoint, process }
}
