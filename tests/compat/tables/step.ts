/** One row of the tables of requests: what is asked, of which method, and what became different since the real etcd beside us. */
import {
  methods,
  type MethodName,
  type RequestOf,
  type RpcClient,
} from '../../helpers/rpc-client.ts'
import type { ServerCluster } from '../../helpers/server-cluster.ts'
import { readable } from '../exclusions.ts'

/** A cluster that is asked through one of its members. */
export class Subject {
  readonly cluster: ServerCluster
  readonly client: RpcClient
  /** Revision before the first row. */
  base = 0n
  /** Numbers that earlier rows kept for later ones. */
  readonly kept = new Map<string, bigint>()

  constructor(cluster: ServerCluster, memberIndex: number) {
    this.cluster = cluster
    this.client = cluster.client(memberIndex)
  }
}

export interface Step {
  readonly name: string
  /** The method's path, or what else it belongs to. */
  readonly family: string
  readonly ask: (subject: Subject) => Promise<unknown>
  /** Makes the answer of the etcd 3.5 beside us the one of the release that we follow. */
  readonly since37?: (answer: unknown) => unknown
  /** It changes nothing, so that it may be asked at the same time as others like it. */
  readonly isPure?: boolean
  /**
   * Members of an etcd 3.5 come to differ by it: the one that was asked finds the fault, the others write. It is asked of a
   * single member alone.
   */
  readonly tearsMembersApart?: boolean
}

/** Fields to any depth; the generated types know it, the client of the tests only the first level. */
type Deep<Message> = Message extends Uint8Array | bigint | string | number | boolean
  ? Message
  : Message extends readonly (infer Item)[]
    ? readonly Deep<Item>[]
    : Message extends { $case: string; value: unknown }
      ? { $case: Message['$case']; value: Deep<Message['value']> }
      : { readonly [Name in keyof Message]?: Deep<Message[Name]> | undefined }

export type Fields<Name extends MethodName> = Deep<RequestOf<Name>>

/** A row that makes one call. Fields may depend on revisions and ids of the cluster that is asked. */
export function call<Name extends MethodName>(
  name: string,
  method: Name,
  fields: Fields<Name> | ((subject: Subject) => Fields<Name> | Promise<Fields<Name>>),
  since37?: (answer: unknown) => unknown,
): Step {
  return {
    name,
    family: methods[method].path,
    ask: async (subject) => {
      const filled = typeof fields === 'function' ? await fields(subject) : fields
      return readable(await subject.client.call(method, filled as Partial<RequestOf<Name>>))
    },
    ...(since37 === undefined ? {} : { since37 }),
  }
}

/** A row that does more than one call. */
export function steps(
  name: string,
  family: string,
  ask: (subject: Subject) => Promise<unknown>,
): Step {
  return { name, family, ask }
}

/** Bytes of a text, one per character. */
export function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** Rows that change nothing. */
export function pure(rows: readonly Step[]): readonly Step[] {
  return rows.map((row) => ({ ...row, isPure: true }))
}
