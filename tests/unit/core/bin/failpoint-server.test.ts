import { afterEach, expect, test } from 'vitest'
import {
  armFailpoints,
  failpoint,
  failpointNames,
  failpointPause,
} from '../../../../src/core/base/failpoints.ts'
import { Failpoints } from '../../../../src/core/bin/failpoint-server.ts'
import { freePorts } from '../../../helpers/real-etcd.ts'

afterEach(() => {
  armFailpoints(undefined)
})

const sleepMs = 60
/** A timer may fire a little early by another clock. */
const sleptMsMin = 55

const tookMs = (): number => {
  const startMs = performance.now()
  failpoint('raftBeforeSave')
  return performance.now() - startMs
}

/** The shortest of several passes: the machine may stand still during one of them, not during all. */
const shortestMs = (): number => Math.min(...Array.from({ length: 20 }, tookMs))

test('a place that nobody armed costs nothing', () => {
  expect(shortestMs()).toBeLessThan(sleepMs)
})

test('terms hold the process for so long and so often', () => {
  const failpoints = new Failpoints('raftBeforeSave=sleep("60ms");walAfterSync=2*sleep(5)')
  expect(shortestMs()).toBeGreaterThan(sleptMsMin)
  failpoints.set('raftBeforeSave', '1*sleep(60)')
  expect(tookMs()).toBeGreaterThan(sleptMsMin)
  expect(shortestMs()).toBeLessThan(sleepMs)
  expect(failpoints.remove('raftBeforeSave')).toBe(true)
  expect(failpoints.remove('raftBeforeSave')).toBe(false)
  expect(failpoints.list()).toContain('walAfterSync=2*sleep(5)\n')
  expect(failpoints.list().split('\n')).toHaveLength(failpointNames.length + 1)
})

test('a place that can wait does, and the rest of the process goes on', async () => {
  const failpoints = new Failpoints('walBeforeSync=sleep("60ms")')
  const startMs = performance.now()
  const order: string[] = []
  const pause = failpointPause('walBeforeSync')?.then(() => order.push('paused'))
  setImmediate(() => order.push('went on'))
  await pause
  expect(performance.now() - startMs).toBeGreaterThan(sleptMsMin)
  expect(order).toEqual(['went on', 'paused'])
  failpoints.remove('walBeforeSync')
  expect(failpointPause('walBeforeSync')).toBeUndefined()
})

test('a place that can fail is told the text to fail with', () => {
  const failpoints = new Failpoints('defragdbFail=1*return("no room");raftDropHeartbeat=return')
  expect(failpoint('defragdbFail')).toBe('no room')
  expect(failpoint('defragdbFail')).toBeUndefined()
  expect(failpoint('raftDropHeartbeat')).toBe('')
  expect(failpoint('raftBeforeSave')).toBeUndefined()
  expect(failpoints.list()).toContain('defragdbFail=1*return("no room")\n')
})

test('all 48 places that etcd has a name for are there', () => {
  expect(new Set(failpointNames).size).toBe(48)
})

test.each(['nothing=panic', 'raftBeforeSave=explode', 'raftBeforeSave=sleep(x)', 'panic'])(
  '%s is refused',
  (text) => {
    expect(() => new Failpoints(text)).toThrow('failpoint: ')
  },
)

test('terms are set, listed and removed over HTTP', async () => {
  const [port] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const failpoints = new Failpoints('')
  await failpoints.listen(`127.0.0.1:${port}`)
  const ask = async (method: string, path: string, body?: string): Promise<readonly unknown[]> => {
    const response = await fetch(url + path, { method, ...(body === undefined ? {} : { body }) })
    return [response.status, await response.text()]
  }
  expect(await ask('PUT', '/walBeforeSync', 'sleep("1ms")')).toEqual([204, ''])
  expect((await ask('GET', '/'))[1]).toContain('walBeforeSync=sleep("1ms")\n')
  expect(await ask('DELETE', '/walBeforeSync')).toEqual([204, ''])
  expect((await ask('GET', '/'))[1]).toContain('walBeforeSync=\n')
  expect((await ask('PUT', '/walBeforeSync', 'nonsense'))[0]).toBe(400)
  expect((await ask('PUT', '/nothing', 'panic'))[0]).toBe(400)
})
