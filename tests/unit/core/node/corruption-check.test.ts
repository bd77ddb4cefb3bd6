import { describe, expect, test } from 'vitest'
import { hexId, nodeId, type NodeId } from '../../../../src/core/base/ids.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import type { HashResult } from '../../../../src/core/mvcc/mvcc-store.ts'
import { CorruptionCheck, InconsistentData } from '../../../../src/core/node/corruption-check.ts'
import type { CorruptionCheckOptions } from '../../../../src/core/node/node-config.ts'
import { answerHashQuestion } from '../../../../src/core/node/peer-hash.ts'
import { ManualClock } from '../../../helpers/manual-clock.ts'

/** What a member holds: hashes by revision. */
interface Holding {
  readonly current: number
  readonly hashes: Readonly<Record<number, HashResult>>
  readonly isDown?: boolean
}

const off: CorruptionCheckOptions = { checksAtStart: false, intervalMs: 0, compactionIntervalMs: 0 }
const at = (hashRevision: number, hash: number, compactedRevision = -1): HashResult => ({
  hash,
  compactedRevision,
  hashRevision,
})

/** Member 1 with its holding, and others behind URLs that are their ids. */
function checkOf(
  own: Holding,
  others: Readonly<Record<string, Holding>>,
  options: Partial<CorruptionCheckOptions> & { readonly compactions?: readonly HashResult[] } = {},
) {
  const clock = new ManualClock()
  const alarms: NodeId[] = []
  const hashOf = (holding: Holding, asked: number): Promise<HashResult> => {
    const revision = asked === 0 ? holding.current : asked
    if (revision > holding.current) return Promise.reject(new StoreError('futureRevision'))
    const hash = holding.hashes[revision]
    return hash === undefined ? Promise.reject(new StoreError('compacted')) : Promise.resolve(hash)
  }
  const members = ['1', ...Object.keys(others)].map((id) => ({
    id: nodeId(BigInt(id)),
    name: id,
    peerUrls: [id],
    clientUrls: [],
    isLearner: false,
  }))
  const check = new CorruptionCheck(
    {
      clock,
      logger: silentLogger,
      memberId: nodeId(1n),
      members: () => members,
      isLeader: () => true,
      askPeer: (url, path, body, method) => {
        expect([path, method]).toEqual(['/members/hashkv', 'GET'])
        const holding = others[url]
        if (holding === undefined || holding.isDown === true) {
          return Promise.reject(new Error('refused'))
        }
        return answerHashQuestion(
          {
            clusterId: 0xffff_ffff_ffff_fff1n,
            memberId: BigInt(url),
            term: () => 3,
            currentRevision: () => holding.current,
            hashAt: (revision) => hashOf(holding, revision),
          },
          body,
        )
      },
      hashAt: (revision) => hashOf(own, revision),
      currentRevision: () => own.current,
      compactionHashes: () => options.compactions ?? [],
      confirm: () => Promise.resolve(),
      propose: (logged) => {
        if (logged.kind === 'alarm') alarms.push(nodeId(logged.request.memberID))
        return Promise.resolve()
      },
    },
    { ...off, ...options },
  )
  const runOnce = async (): Promise<readonly string[]> => {
    check.start()
    clock.advance(1_000)
    for (let turn = 0; turn < 100; turn++) await Promise.resolve()
    check.stop()
    return alarms.map(hexId)
  }
  return { check, runOnce }
}

const good: Holding = { current: 9, hashes: { 9: at(9, 1) } }

describe('the comparison at a start', () => {
  test('is passed by a member that holds what the others hold', async () => {
    await checkOf(good, { 2: good, 3: good }).check.compareAtStart()
  })

  test('is not passed by one that differs from any of the others', async () => {
    const other = { current: 9, hashes: { 9: at(9, 2) } }
    await expect(checkOf(good, { 2: good, 3: other }).check.compareAtStart()).rejects.toThrow(
      InconsistentData,
    )
  })

  test('does not count members that are behind, have compacted differently, or are down', async () => {
    const behind = { current: 8, hashes: { 8: at(8, 7) } }
    const ahead = { current: 20, hashes: { 20: at(20, 7, 15) } }
    const compacted = { current: 9, hashes: { 9: at(9, 7, 5) } }
    const others = { 2: behind, 3: ahead, 4: compacted, 5: { ...good, isDown: true } }
    await checkOf(good, others).check.compareAtStart()
  })
})

describe('the comparison from time to time', () => {
  const options = { intervalMs: 1_000 }

  test('raises no alarm for members that hold the same, or are behind', async () => {
    const behind = { current: 8, hashes: { 8: at(8, 7) } }
    expect(await checkOf(good, { 2: good, 3: behind }, options).runOnce()).toEqual([])
  })

  test('raises the alarm for the one that differs', async () => {
    const other = { current: 9, hashes: { 9: at(9, 2) } }
    expect(await checkOf(good, { 2: good, 3: other }, options).runOnce()).toEqual(['3'])
  })

  test('raises the alarm for one that is ahead of the leader', async () => {
    const ahead = { current: 11, hashes: { 9: at(9, 1), 11: at(11, 5) } }
    expect(await checkOf(good, { 2: ahead, 3: good }, options).runOnce()).toEqual(['2'])
  })
})

describe('the comparison of compactions', () => {
  const options = { compactionIntervalMs: 1_000 }
  const holding = (hash: number): Holding => ({ current: 9, hashes: { 5: at(5, hash, 2) } })
  const compactions = [at(5, 1, 2)]

  test('names those who differ from a quorum, the leader too', async () => {
    const one = checkOf(good, { 2: holding(1), 3: holding(9) }, { ...options, compactions })
    expect(await one.runOnce()).toEqual(['3'])
    const own = checkOf(good, { 2: holding(9), 3: holding(9) }, { ...options, compactions })
    expect(await own.runOnce()).toEqual(['1'])
  })

  test('names nobody where no quorum agrees', async () => {
    const check = checkOf(good, { 2: holding(8), 3: holding(9) }, { ...options, compactions })
    expect(await check.runOnce()).toEqual(['0'])
  })

  test('raises no alarm where all had the same, or compacted differently before', async () => {
    const other = { current: 9, hashes: { 5: at(5, 9, 3) } }
    const check = checkOf(good, { 2: holding(1), 3: other }, { ...options, compactions })
    expect(await check.runOnce()).toEqual([])
  })
})
