/** The Watch service: one method, one stream object per call. */
import type { StoreNode } from '../node/store-node.ts'
import { streamMethod } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { RpcMethod } from './rpc-call.ts'
import { WatchStream } from './watch-stream.ts'
import { WatchStreams, type WatchStreamOptions } from './watch-streams.ts'

/** The method of `etcdserverpb.Watch`. */
export function watchService(
  node: StoreNode,
  headers: ResponseHeaders,
  options: WatchStreamOptions,
): ReadonlyMap<string, RpcMethod> {
  const streams = new WatchStreams(node, headers, options)
  return new Map<string, RpcMethod>([
    [
      'Watch',
      streamMethod((call) => {
        new WatchStream(streams, call).open()
      }),
    ],
  ])
}
