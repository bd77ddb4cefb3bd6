/**
 * Maintenance.Snapshot: the whole state as an etcd database file in pieces, and the SHA-256 of it as the last one.
 *
 * @see etcd v3 API, Snapshot stream
 */
import { createHash } from 'node:crypto'
import type { DatabaseSnapshot } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import { SnapshotResponse } from '../proto/gen/rpc.ts'
import { frameOf } from './method.ts'
import type { RpcMethod, StreamCall } from './rpc-call.ts'
import { StreamRoom } from './stream-room.ts'
import { isFatal, okStatus, statusOfError } from './status-mapping.ts'

/** etcd's size of a piece. */
const blobSizeBytes = 32_768
/** Read from the file at once; hashing that much takes about half a millisecond. */
const readSizeBytes = 8 * blobSizeBytes
/** Pieces that wait for a slow client before reading goes on. */
const queuedSizeBytesMax = 2 * readSizeBytes

/** The method `Snapshot` of `etcdserverpb.Maintenance`. Learners answer it too. */
export function snapshotMethod(node: StoreNode): RpcMethod {
  return {
    kind: 'stream',
    isServedByLearner: true,
    handle: (call) => {
      let hasBegun = false
      const begin = (): void => {
        if (hasBegun) return
        hasBegun = true
        void serve(node, call)
      }
      // The request says nothing; without one the client has only ended its side.
      call.read(begin, begin)
    },
  }
}

async function serve(node: StoreNode, call: StreamCall): Promise<void> {
  try {
    const snapshot = await node.takeSnapshot()
    try {
      await send(snapshot, call)
    } finally {
      snapshot.release()
    }
    call.end(okStatus)
  } catch (error) {
    call.end(statusOfError(error))
    // Damaged data: nobody catches it, and the process ends.
    if (isFatal(error)) throw error
  }
}

async function send(snapshot: DatabaseSnapshot, call: StreamCall): Promise<void> {
  const { sizeBytes, storageVersion: version } = snapshot
  const digest = createHash('sha256')
  const room = new StreamRoom(call, queuedSizeBytesMax)
  const sendBlob = (blob: Uint8Array, remainingSizeBytes: number): void => {
    const remainingBytes = BigInt(remainingSizeBytes)
    call.send(frameOf(SnapshotResponse, { header: undefined, remainingBytes, blob, version }))
  }
  for (let offset = 0; offset < sizeBytes; offset += readSizeBytes) {
    await room.wait()
    if (call.hasEnded) return
    const piece = await snapshot.read(offset, Math.min(readSizeBytes, sizeBytes - offset))
    digest.update(piece)
    for (let start = 0; start < piece.length; start += blobSizeBytes) {
      const blob = piece.subarray(start, start + blobSizeBytes)
      sendBlob(blob, sizeBytes - offset - start - blob.length)
    }
  }
  sendBlob(digest.digest(), 0)
}
