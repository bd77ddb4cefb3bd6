/** The question between members for the hash over the key space, in etcd's words; see `corruption-check.ts`. */
import { StoreError } from '../errors/store-error.ts'
import type { HashResult } from '../mvcc/mvcc-store.ts'
import type { AskPeer, PeerAnswer } from './leader-leases.ts'

/** Path on the peer port. */
export const hashPath = '/members/hashkv'

/** What another member said. */
export type PeerHash =
  | ({ readonly kind: 'hash'; readonly currentRevision: number } & HashResult)
  /** It has not come as far as the revision asked for. */
  | { readonly kind: 'behind' }
  /** It has compacted that revision. */
  | { readonly kind: 'compacted' }
  | { readonly kind: 'unreachable'; readonly reason: string }

/** Asks a member over its peer URLs, the first that answers. */
export async function askForHash(
  ask: AskPeer,
  peerUrls: readonly string[],
  revision: number,
): Promise<PeerHash> {
  const question = new TextEncoder().encode(JSON.stringify({ revision }))
  let reason = 'the member has no peer URL'
  for (const url of peerUrls) {
    try {
      return readAnswer(await ask(url, hashPath, question, 'GET'))
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
    }
  }
  return { kind: 'unreachable', reason }
}

function readAnswer({ status, body }: PeerAnswer): PeerHash {
  const text = new TextDecoder().decode(body)
  if (status !== 200) {
    if (text.includes(plainTexts.compacted)) return { kind: 'compacted' }
    if (text.includes(plainTexts.futureRevision)) return { kind: 'behind' }
    return { kind: 'unreachable', reason: `HTTP status ${status}: ${text.trim()}` }
  }
  const answer = (JSON.parse(text) ?? {}) as Readonly<Record<string, unknown>>
  const header = (answer['header'] ?? {}) as Readonly<Record<string, unknown>>
  return {
    kind: 'hash',
    // Go leaves fields out that are zero.
    hash: numberOf(answer['hash']),
    compactedRevision: numberOf(answer['compact_revision']),
    hashRevision: numberOf(answer['hash_revision']),
    currentRevision: numberOf(header['revision']),
  }
}

/** The texts of etcd's storage, which members tell each other without the name of the server. */
const plainTexts = {
  compacted: plainTextOf(new StoreError('compacted')),
  futureRevision: plainTextOf(new StoreError('futureRevision')),
} as const

function plainTextOf(error: StoreError): string {
  return error.message.replace(/^etcdserver: /, '')
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

export interface HashAnswerParts {
  readonly clusterId: bigint
  readonly memberId: bigint
  readonly term: () => number
  readonly currentRevision: () => number
  /** @throws StoreError `compacted`, `futureRevision` */
  readonly hashAt: (revision: number) => Promise<HashResult>
}

/** Answers another member that asks. */
export async function answerHashQuestion(
  parts: HashAnswerParts,
  body: Uint8Array,
): Promise<PeerAnswer> {
  const revision = revisionOf(body)
  if (revision === undefined) return textAnswer(400, 'error unmarshalling request')
  try {
    const result = await parts.hashAt(revision)
    // Ids have 64 bits and are JSON numbers: no object of JavaScript's could write them.
    const header = [
      `"cluster_id":${parts.clusterId}`,
      `"member_id":${parts.memberId}`,
      `"revision":${parts.currentRevision()}`,
      `"raft_term":${parts.term()}`,
    ]
    const fields = [
      `"header":{${header.join(',')}}`,
      `"hash":${result.hash}`,
      `"compact_revision":${result.compactedRevision}`,
      `"hash_revision":${result.hashRevision}`,
    ]
    return { status: 200, body: new TextEncoder().encode(`{${fields.join(',')}}`) }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return textAnswer(400, plainTextOf(error))
  }
}

function revisionOf(body: Uint8Array): number | undefined {
  try {
    const asked = JSON.parse(new TextDecoder().decode(body)) as unknown
    const { revision = 0 } = (asked ?? {}) as Readonly<Record<string, unknown>>
    return typeof revision === 'number' ? revision : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function textAnswer(status: number, text: string): PeerAnswer {
  return { status, body: new TextEncoder().encode(`${text}\n`) }
}
