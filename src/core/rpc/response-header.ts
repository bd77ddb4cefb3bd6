/** The header of every response: cluster, member, revision, term. */
import type { ClusterId, NodeId } from '../base/ids.ts'
import { ResponseHeader } from '../proto/gen/rpc.ts'
import { numberFieldSize, type FrameWriter } from './wire-writer.ts'

/** What a header needs to know of the node that answers. */
export interface HeaderSource {
  readonly clusterId: ClusterId
  readonly memberId: NodeId
  readonly raftTerm: number
}

const revisionTag = 0x18
const raftTermTag = 0x20

/**
 * Encodes headers. Cluster and member never change while a node runs, so their bytes are made once.
 */
export class ResponseHeaders {
  private readonly source: HeaderSource
  private readonly identity: Uint8Array

  constructor(source: HeaderSource) {
    this.source = source
    this.identity = ResponseHeader.encode(
      ResponseHeader.create({ clusterId: source.clusterId, memberId: source.memberId }),
    ).finish()
  }

  /** The term to measure and write with; read once per response, because both must agree. */
  get raftTerm(): number {
    return this.source.raftTerm
  }

  /** Size of the header message, without tag and length. */
  size(revision: number, raftTerm: number): number {
    return this.identity.length + numberFieldSize(revision) + numberFieldSize(raftTerm)
  }

  /** Writes the header as the field with this tag. */
  write(writer: FrameWriter, tag: number, header: { revision: number; raftTerm: number }): void {
    writer.openMessage(tag, this.size(header.revision, header.raftTerm))
    writer.raw(this.identity)
    writer.numberField(revisionTag, header.revision)
    writer.numberField(raftTermTag, header.raftTerm)
  }

  /** The header as a message, for responses that the generated codecs encode. Revision 0 is left out. */
  message(revision: number): ResponseHeader {
    return {
      clusterId: this.source.clusterId,
      memberId: this.source.memberId,
      revision: BigInt(revision),
      raftTerm: BigInt(this.source.raftTerm),
    }
  }
}
