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

const tookMs = (): number => {
  const startMs = performance.now()
  failpoint('raftBeforeSave')
  return performance.now() - startMs
}

test('a place that nobody armed costs nothing', () => {
  expect(tookMs()).toBeLessThan(50)
})

test('terms hold the process for so long and so often', () => {
  const failpoints = new Failpoints('raftBeforeSave=sleep("60ms");walAfterSync=2*sleep(5)')
  expect(tookMs()).toBeGreaterThan(55)
  failpoints.set('raftBeforeSave', '1*sleep(60)')
  expect(tookMs()).toBeGreaterThan(55)
  expect(tookMs()).toBeLessThan(50)
  expect(failpoints.remove('raftBeforeSave')).toBe(true)
  expect(failpoints.remove('raftBeforeSave')).toBe(false)
  expect(failpoints.list()).toContain('walAfterSync=2*sleep(5)\n')
  expect(failpoints.list().split('\n')).toHaveLength(failpointNames.length + 1)
})

test('a place that can wait does, and the rest of the process goes on', async () => {
  const failpoints = new Failpoints('walBeforeSync=sleep("60ms")')
  const startMs = performance.now()
  const pause = failpointPause('walBeforeSync')
  expect(performance.now() - startMs).toBeLessThan(50)
  await pause
  expect(performance.now() - startMs).toBeGreaterThan(55)
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
