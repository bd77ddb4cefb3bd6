import { describe, expect, test } from 'vitest'
import { GroupGathering } from '../../../../src/core/node/group-gathering.ts'
import { ManualClock } from './manual-clock.ts'

function build(): { clock: ManualClock; gathering: GroupGathering } {
  const clock = new ManualClock()
  return { clock, gathering: new GroupGathering(clock) }
}

/** Lets one group be waited for in vain. @returns whether it was waited for at all */
function waitInVain({ clock, gathering }: ReturnType<typeof build>): boolean {
  gathering.noteAnswered(2, 0)
  const hasWaited = gathering.waitsWith(1)
  clock.advance(1)
  expect(gathering.waitsWith(1)).toBe(false)
  return hasWaited
}

describe('GroupGathering', () => {
  test('lets a client alone have its sync at once', () => {
    const { gathering } = build()
    expect(gathering.waitsWith(1)).toBe(false)
    gathering.noteAnswered(1, 0)
    expect(gathering.waitsWith(1)).toBe(false)
  })

  test('asks to be told of one answer only now and then', () => {
    const { gathering } = build()
    const wanted = Array.from({ length: 64 }, () => gathering.wantsToKnow(1))
    expect(wanted.filter(Boolean)).toHaveLength(4)
    expect([gathering.wantsToKnow(0), gathering.wantsToKnow(2)]).toEqual([false, true])
  })

  test('makes one group of those who came during a sync and those who were answered after it', () => {
    const { clock, gathering } = build()
    gathering.noteAnswered(5, 5)
    expect(gathering.waitsWith(5)).toBe(true)
    clock.advance(0.05)
    expect(gathering.waitsWith(7)).toBe(true)
    clock.advance(0.09)
    expect(gathering.waitsWith(9)).toBe(true)
    expect(gathering.waitsWith(10)).toBe(false)
  })

  test('keeps one group together when its clients come back one after the other', () => {
    const { gathering } = build()
    gathering.noteAnswered(10, 0)
    expect(gathering.waitsWith(1)).toBe(true)
    expect(gathering.waitsWith(10)).toBe(false)
  })

  test('goes on without those who do not come', () => {
    const { clock, gathering } = build()
    gathering.noteAnswered(5, 5)
    expect(gathering.waitsWith(5)).toBe(true)
    clock.advance(0.11)
    expect(gathering.waitsWith(5)).toBe(false)
    expect(gathering.waitsWith(1)).toBe(false)
  })

  test('is not held up by clients that drop in now and then', () => {
    const { clock, gathering } = build()
    gathering.noteAnswered(20, 0)
    let waitedMs = 0
    for (let count = 1; gathering.waitsWith(count); count++) {
      clock.advance(0.09)
      waitedMs += 0.09
    }
    expect(waitedMs).toBeLessThan(0.6)
  })

  test('ends a wait where time stands still', () => {
    const { gathering } = build()
    gathering.noteAnswered(5, 5)
    let turns = 0
    while (gathering.waitsWith(5)) turns++
    expect(turns).toBeLessThan(1_000)
  })

  test('does not wait for large groups', () => {
    const { gathering } = build()
    gathering.noteAnswered(60, 5)
    expect(gathering.waitsWith(5)).toBe(false)
  })

  test('leaves waiting for longer and longer where it is in vain, and takes it up again when it pays', () => {
    const built = build()
    const waited: boolean[] = []
    for (let group = 0; group < 20; group++) waited.push(waitInVain(built))
    const at = waited.flatMap((hasWaited, group) => (hasWaited ? [group] : []))
    expect(at).toEqual([0, 3, 8, 17])
    const { gathering } = built
    while (!waitInVain(built)) continue
    for (let group = 0; group < 64; group++) {
      gathering.noteAnswered(2, 0)
      if (gathering.waitsWith(1)) expect(gathering.waitsWith(2)).toBe(false)
    }
    expect(waitInVain(built)).toBe(true)
    expect([0, 1, 2].map(() => waitInVain(built))).toEqual([false, false, true])
  })
})
