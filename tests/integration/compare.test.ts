/** Comparisons of real servers: two revisions of each, and real etcd with our node, against what the test itself wrote. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/core/io/system-clock.ts'
import { systemRandom } from '../../src/core/io/system-random.ts'
import { clientSource } from '../../src/main/compare/client-source.ts'
import { compare } from '../../src/main/compare/comparison.ts'
import { Connection } from '../../src/main/connections/connection.ts'
import { intervalOf } from '../../src/main/ipc/key-conversion.ts'
import {
  differenceKinds,
  type CompareItem,
  type CompareRequest,
  type CompareSide,
} from '../../src/preload/contract/compare.ts'
import { isRealEtcdInstalled } from '../helpers/real-etcd.ts'
import { RpcClient } from '../helpers/rpc-client.ts'
import { ServerPair } from '../helpers/server-pair.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (value: Uint8Array): string => new TextDecoder().decode(value)

interface Written {
  readonly value: string
  readonly modRevision: number
}
type State = ReadonlyMap<string, Written>
type Difference = readonly [key: string, kind: string]

/** A server and every state that it went through, by revision. */
class Subject {
  readonly connection: Connection
  readonly states = new Map<number, State>()
  headRevision = 1

  constructor(id: string, endpoint: string) {
    this.connection = new Connection(
      { clock: systemClock, random: systemRandom },
      {
        id,
        name: id,
        origin: 'launch',
        environment: 'none',
        isReadOnly: false,
        endpoints: [endpoint],
      },
      () => undefined,
    )
    this.states.set(1, new Map())
  }

  async write(puts: Readonly<Record<string, string>>, deletes: readonly string[]): Promise<void> {
    const state = new Map(this.states.get(this.headRevision))
    const { header } = await this.connection.client.kv.txn({
      compares: [],
      thenOperations: [
        ...Object.entries(puts).map(([key, value]) => ({
          kind: 'put' as const,
          key: bytes(key),
          value: bytes(value),
          lease: 0n,
        })),
        ...deletes.map((key) => ({ kind: 'delete' as const, interval: { start: bytes(key) } })),
      ],
      elseOperations: [],
    })
    for (const [key, value] of Object.entries(puts))
      state.set(key, { value, modRevision: header.revision })
    for (const key of deletes) state.delete(key)
    this.states.set(header.revision, state)
    this.headRevision = header.revision
  }
}

let pair: ServerPair
let subjects: Readonly<Record<'etcd' | 'quorate', Subject>>
/** The same at every run. */
let seed = 20_261
function draw(below: number): number {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
  return Math.floor((seed / 2_147_483_648) * below)
}

async function run(request: CompareRequest): Promise<{
  readonly differences: readonly Difference[]
  readonly items: readonly CompareItem[]
}> {
  const items: CompareItem[] = []
  const sourceOf = (side: 'left' | 'right') =>
    clientSource({
      clock: systemClock,
      connection: subjects[request[side].connectionId as 'etcd' | 'quorate'].connection,
      interval: intervalOf(request[side].range),
      side,
      signal: new AbortController().signal,
    })
  await compare(
    {
      left: sourceOf('left'),
      right: sourceOf('right'),
      push: (item) => items.push(item),
      nowMs: () => performance.now(),
    },
    request,
  )
  const differences = items.flatMap((item) =>
    item.kind !== 'rows'
      ? []
      : Array.from({ length: item.columns.rowCount }, (_, row): Difference => {
          const { keyBytes, keyOffsets, kinds } = item.columns
          const key = keyBytes.subarray(keyOffsets[row], keyOffsets[row + 1])
          return [textOf(key), differenceKinds[kinds[row] ?? -1] ?? 'none']
        }),
  )
  return { differences, items }
}

function modelOf(left: State, right: State, isSame: (one: Written, other: Written) => boolean) {
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((key) => key.startsWith('/app/'))
    .sort()
    .flatMap((key): Difference[] => {
      const one = left.get(key)
      const other = right.get(key)
      if (one === undefined) return [[key, 'added']]
      if (other === undefined) return [[key, 'removed']]
      return isSame(one, other) ? [] : [[key, 'changed']]
    })
}

const sideOf = (connectionId: string, revision: number): CompareSide => ({
  connectionId,
  range: { kind: 'prefix', prefix: bytes('/app/') },
  revision,
})

function requestOf(left: CompareSide, right: CompareSide): CompareRequest {
  return {
    left,
    right,
    by: 'revision',
    ignoresValues: false,
    ignoresLeases: false,
    rowsMax: 10_000,
  }
}

beforeAll(async () => {
  if (!isRealEtcdInstalled()) return
  pair = await ServerPair.start()
  subjects = {
    etcd: new Subject('etcd', pair.etcd.clientUrl),
    quorate: new Subject('quorate', pair.quorate.clientUrl),
  }
  const names = Array.from(
    { length: 120 },
    (_, at) => `/${at % 5 === 0 ? 'other' : 'app'}/${String(at % 7)}/${String(at)}`,
  )
  for (let step = 0; step < 150; step++) {
    for (const subject of Object.values(subjects)) {
      const puts: Record<string, string> = {}
      const deletes: string[] = []
      for (let count = 0; count <= draw(step < 20 ? 8 : 3); count++) {
        const name = names[draw(names.length)] ?? ''
        if (draw(4) > 0) puts[name] = String(draw(3))
        else if (subject.states.get(subject.headRevision)?.has(name) === true) deletes.push(name)
      }
      const rest = deletes.filter((name) => !(name in puts))
      if (Object.keys(puts).length + rest.length > 0) await subject.write(puts, rest)
    }
  }
}, 60_000)

afterAll(async () => {
  if (!isRealEtcdInstalled()) return
  for (const subject of Object.values(subjects)) subject.connection.dispose()
  await pair.dispose()
})

describe.runIf(isRealEtcdInstalled())('a comparison of real servers', () => {
  test.each(['etcd', 'quorate'] as const)(
    'two revisions of %s differ in what was written between them, by either way',
    async (kind) => {
      const subject = subjects[kind]
      const revisions = [...subject.states.keys()]
      const methods = new Set<string>()
      for (let round = 0; round < 40; round++) {
        const at = draw(revisions.length)
        const near = Math.min(revisions.length - 1, at + draw(8))
        const left = revisions[at] ?? 1
        const right = revisions[round % 2 === 0 ? near : draw(revisions.length)] ?? 1
        const { differences, items } = await run(requestOf(sideOf(kind, left), sideOf(kind, right)))
        const model = modelOf(
          subject.states.get(left) ?? new Map(),
          subject.states.get(right) ?? new Map(),
          (one, other) => one.modRevision === other.modRevision,
        )
        expect(differences, `r${String(left)} and r${String(right)}`).toEqual(model)
        for (const item of items) if (item.kind === 'started') methods.add(item.method)
      }
      expect([...methods].sort()).toEqual(['paging', 'replay'])
    },
    60_000,
  )

  test('real etcd and our node differ in what they hold', async () => {
    const { etcd, quorate } = subjects
    for (let round = 0; round < 10; round++) {
      const revisionOf = (subject: Subject): number => {
        const revisions = [...subject.states.keys()]
        return round === 0 ? subject.headRevision : (revisions[draw(revisions.length)] ?? 1)
      }
      const left = revisionOf(etcd)
      const right = revisionOf(quorate)
      const { differences } = await run(
        requestOf(sideOf('etcd', round === 0 ? 0 : left), sideOf('quorate', right)),
      )
      const model = modelOf(
        etcd.states.get(left) ?? new Map(),
        quorate.states.get(right) ?? new Map(),
        (one, other) => one.value === other.value,
      )
      expect(differences).toEqual(model)
    }
  }, 60_000)

  test.each(['etcd', 'quorate'] as const)(
    'a compacted side of %s names the oldest revision that is kept',
    async (kind) => {
      const subject = subjects[kind]
      const oldest = Math.floor(subject.headRevision / 2)
      const rpc = new RpcClient(pair[kind].clientUrl)
      await rpc.must('compact', { revision: BigInt(oldest), physical: true })
      rpc.close()
      await expect(run(requestOf(sideOf(kind, oldest - 5), sideOf(kind, 0)))).rejects.toMatchObject(
        {
          code: 'compacted',
          details: { side: 'left', oldestRevision: oldest },
        },
      )
    },
    30_000,
  )
})
