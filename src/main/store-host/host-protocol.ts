/** What the app and the process of a local node say to each other. Everything else between them goes over gRPC. */

import type { NodeLogLine } from '../../preload/contract/node.ts'

/** From the node's process to the app. */
export type NodeMessage =
  | ({ readonly kind: 'log' } & Omit<NodeLogLine, 'nodeName'>)
  /** It serves clients from now on. */
  | { readonly kind: 'ready' }
  /** It cannot start or go on; its process ends at once after this. */
  | { readonly kind: 'failed'; readonly reason: string }

/** From the app to the node's process. A signal would do on Linux and macOS, but not on Windows. */
export interface HostMessage {
  readonly kind: 'stop'
}
