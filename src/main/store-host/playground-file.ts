/** What is kept of a local cluster besides its data: names and ports, which must be the same at each start. */

import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import type { Logger } from '../../core/base/logger.ts'
import { playgroundSizeMax } from '../../preload/contract/limits.ts'
import { JsonFile } from '../json-file.ts'

const portSchema = z.number().int().min(1).max(65_535)

const playgroundFileSchema = z.object({
  schemaVersion: z.literal(1),
  clusterToken: z.string().min(1).max(64),
  nodes: z
    .array(
      z.object({
        name: z.string().regex(/^[a-z0-9-]{1,32}$/),
        clientPort: portSchema,
        peerPort: portSchema,
      }),
    )
    .min(1)
    .max(playgroundSizeMax),
})
export type Playground = z.infer<typeof playgroundFileSchema>
export type PlaygroundNode = Playground['nodes'][number]

/** Reachable from this machine only. */
const host = '127.0.0.1'

export function clientUrlOf(node: PlaygroundNode): string {
  return `http://${host}:${String(node.clientPort)}`
}

export function peerUrlOf(node: PlaygroundNode): string {
  return `http://${host}:${String(node.peerPort)}`
}

/** The cluster kept in this folder, or a new one of this size with ports that are free now. */
export async function loadOrCreatePlayground(
  directory: string,
  size: number,
  logger: Logger,
): Promise<Playground> {
  const file = new JsonFile(join(directory, 'cluster.json'), playgroundFileSchema, logger)
  const kept = file.load()
  if (kept !== undefined) return kept
  const ports = await findFreePorts(size * 2)
  const playground: Playground = {
    schemaVersion: 1,
    clusterToken: `playground-${randomUUID().slice(0, 8)}`,
    nodes: Array.from({ length: size }, (_, position) => ({
      name: `node${String(position + 1)}`,
      clientPort: ports[position * 2] ?? 0,
      peerPort: ports[position * 2 + 1] ?? 0,
    })),
  }
  await file.save(playground)
  return playground
}

/** The flags with which a node of the cluster is started, each time the same. */
export function nodeFlags(
  directory: string,
  playground: Playground,
  node: PlaygroundNode,
): string[] {
  const initialCluster = playground.nodes
    .map((member) => `${member.name}=${peerUrlOf(member)}`)
    .join(',')
  return [
    `--name=${node.name}`,
    `--data-dir=${join(directory, node.name)}`,
    `--listen-client-urls=${clientUrlOf(node)}`,
    `--advertise-client-urls=${clientUrlOf(node)}`,
    `--listen-peer-urls=${peerUrlOf(node)}`,
    `--initial-advertise-peer-urls=${peerUrlOf(node)}`,
    `--initial-cluster=${initialCluster}`,
    '--initial-cluster-state=new',
    `--initial-cluster-token=${playground.clusterToken}`,
  ]
}

/** The system chooses the ports; all are held until the last is known, so that they differ. */
async function findFreePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(0, host, resolve)
      })
      return server
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return address === null || typeof address === 'string' ? 0 : address.port
  })
  await Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve()
          })
        }),
    ),
  )
  return ports
}
