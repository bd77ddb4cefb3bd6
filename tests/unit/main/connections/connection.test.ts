import { expect, test } from 'vitest'
import { systemRandom } from '../../../../src/core/io/system-random.ts'
import { Connection } from '../../../../src/main/connections/connection.ts'
import { ManualClock } from '../../../helpers/manual-clock.ts'

test('the head is told at once, and of a busy cluster four times a second', () => {
  const clock = new ManualClock()
  const heads: number[] = []
  const connection = new Connection(
    { clock, random: systemRandom },
    {
      ...{ id: 'one', name: 'one', origin: 'launch', environment: 'none', isReadOnly: false },
      endpoints: ['http://127.0.0.1:1'],
      // Without its password nothing is asked of the cluster.
      login: { user: 'somebody', password: undefined },
    },
    (info) => {
      heads.push(info.headRevision)
    },
  )
  try {
    connection.noteRevision(5)
    expect(heads).toEqual([5])
    for (let revision = 6; revision <= 505; revision++) {
      connection.noteRevision(revision)
      clock.advance(2)
    }
    expect(heads).toEqual([5, 130, 255, 380, 505])
    clock.advance(1_000)
    expect(heads).toHaveLength(5)
    connection.noteRevision(506)
    expect(heads.at(-1)).toBe(506)
    connection.noteRevision(507)
  } finally {
    connection.dispose()
  }
  clock.advance(1_000)
  expect(heads.at(-1)).toBe(506)
  expect(clock.waitingCount).toBe(0)
})
