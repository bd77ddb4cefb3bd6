/** Nodes of the local cluster (the playground), each a process of its own on this machine. */

import { z } from 'zod'
import { playgroundSizeMax } from './limits.ts'

/** Name of a node, `node1` and so on. */
export const nodeRequestSchema = z
  .strictObject({ nodeName: z.string().regex(/^[a-z0-9-]{1,32}$/) })
  .readonly()
export type NodeRequest = z.infer<typeof nodeRequestSchema>

/** Starts the local cluster; a new one of this size where there is none yet on disk, else the one on disk. */
export const startPlaygroundRequestSchema = z
  .strictObject({ size: z.number().int().min(1).max(playgroundSizeMax) })
  .readonly()
export type StartPlaygroundRequest = z.infer<typeof startPlaygroundRequestSchema>

/** `killed`: ended by our SIGKILL. `failed`: ended by itself; `reason` says how. */
export type NodeStateKind = 'starting' | 'running' | 'stopping' | 'stopped' | 'killed' | 'failed'

export interface NodeInfo {
  readonly name: string
  readonly state: NodeStateKind
  /** One sentence; present when `failed`. */
  readonly reason?: string
  /** Present while there is a process. */
  readonly processId?: number
  readonly clientUrl: string
  readonly peerUrl: string
  /** Wall time in milliseconds since which the node is in this state. */
  readonly sinceMs: number
  /** How often the process was started since the app started. */
  readonly startCount: number
}

export interface PlaygroundInfo {
  /** The connection to the local cluster; absent while no cluster was started. */
  readonly connectionId?: string
  readonly nodes: readonly NodeInfo[]
}

/** One line of a node's log. */
export interface NodeLogLine {
  readonly nodeName: string
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Wall time in milliseconds. */
  readonly atMs: number
  readonly message: string
  /** Remaining fields as JSON text, empty for none. */
  readonly fieldsText: string
}

/** What the node stream delivers; first the present state and the kept tail of the logs. */
export type NodeItem =
  | { readonly kind: 'changed'; readonly playground: PlaygroundInfo }
  | { readonly kind: 'log'; readonly line: NodeLogLine }
