import { expect, test, vi } from 'vitest'
import { keyColumnsOf } from '../../../../src/preload/contract/key-columns.ts'
import type { BridgeError } from '../../../../src/preload/contract/reply.ts'
import { CallError } from '../../../../src/renderer/api/bridge.ts'
import { kvApi } from '../../../../src/renderer/api/kv-api.ts'
import { boundsOf } from '../../../../src/renderer/stores/key-order.ts'
import {
  KeyTree,
  type MoreNode,
  type TreeNode,
  type TreeRow,
} from '../../../../src/renderer/stores/key-tree.ts'

const folder = (name: string): TreeRow => ({
  kind: 'folder',
  path: new TextEncoder().encode(`/${name}/`),
  name,
  isFolder: true,
  isAlsoKey: false,
  count: undefined,
  depth: 0,
})

test('a folder whose count is under way is not counted again while the rows are looked at', async () => {
  const answers: (() => void)[] = []
  const asked = vi.spyOn(kvApi, 'count').mockImplementation(
    () =>
      new Promise((resolve) => {
        answers.push(() => {
          resolve({ count: 1, headRevision: 1 })
        })
      }),
  )
  const tree = new KeyTree('c', '/')
  const rows = Array.from({ length: 10 }, (_, index) => folder(`f${index}`))
  for (let look = 0; look < 5; look++) tree.want(rows)
  expect(asked).toHaveBeenCalledTimes(4)
  while (answers.length > 0) {
    answers.shift()?.()
    // The next count is asked for when the answer before it was taken.
    await new Promise(setImmediate)
  }
  expect(asked).toHaveBeenCalledTimes(10)
  expect(new Set(asked.mock.calls.map(([request]) => JSON.stringify(request.range))).size).toBe(10)
  asked.mockRestore()
})

/** A server of two keys in two folders, which refuses for as long as there is a failure. */
function fakeServer(): { failure?: BridgeError } {
  const server: { failure?: BridgeError } = {}
  const encoder = new TextEncoder()
  const all = ['/a/one', '/b/two'].map((text) => ({
    ...{ key: encoder.encode(text), value: new Uint8Array(0), valueSizeBytes: 0 },
    ...{ createRevision: 1, modRevision: 1, version: 1, lease: 0n },
  }))
  const isIn = ({ key }: { key: Uint8Array }, start: string, end: string | undefined): boolean => {
    const text = new TextDecoder().decode(key)
    return text >= start && (end === undefined || text < end)
  }
  vi.spyOn(kvApi, 'range').mockImplementation(({ range }) => {
    if (server.failure !== undefined) return Promise.reject(new CallError(server.failure))
    const decoder = new TextDecoder()
    const bounds = boundsOf(range)
    const to = bounds.to === undefined ? undefined : decoder.decode(bounds.to)
    const rows = all.filter((row) => isIn(row, decoder.decode(bounds.from), to))
    return Promise.resolve({
      ...{ revision: 1, headRevision: 1, count: rows.length, hasMore: false },
      columns: keyColumnsOf(rows),
    })
  })
  return server
}

const failureOf = (code: string, isRetryable: boolean): BridgeError => ({
  ...{ code, message: code, isRetryable, isOutcomeUnknown: false, details: {} },
})

const textOf = (row: TreeRow): string =>
  row.kind === 'more' ? `more, ${row.isFailed ? 'failed' : 'unread'}` : row.name

test('folders that were read stay as they are while the cluster is away, and are read anew afterwards', async () => {
  const server = fakeServer()
  const tree = new KeyTree('c', '/')
  await tree.loadRoot()
  tree.toggle(tree.rows()[0] as TreeNode)
  await vi.waitFor(() => {
    expect(tree.rows().map(textOf)).toEqual(['/a', 'one', '/b'])
  })
  server.failure = failureOf('unreachable', true)
  await tree.refresh()
  expect(tree.rows().map(textOf)).toEqual(['/a', 'one', '/b'])
  expect(tree.error.value).toBeInstanceOf(CallError)
  delete server.failure
  await tree.refresh()
  expect(tree.error.value).toBeUndefined()
  vi.restoreAllMocks()
})

test('a folder that may not be read any more says so, and is read at the next try', async () => {
  const server = fakeServer()
  const tree = new KeyTree('c', '/')
  await tree.loadRoot()
  server.failure = failureOf('permissionDenied', false)
  await tree.refresh()
  expect(tree.rows().map(textOf)).toEqual(['/a', '/b', 'more, failed'])
  delete server.failure
  await tree.loadMore(tree.rows()[2] as MoreNode)
  expect(tree.rows().map(textOf)).toEqual(['/a', '/b'])
  vi.restoreAllMocks()
})

test('a reading that was overtaken by a newer one of the same folder changes nothing when it ends', async () => {
  fakeServer()
  const answer = vi.mocked(kvApi.range).getMockImplementation()
  const failures: (() => void)[] = []
  vi.spyOn(kvApi, 'range').mockImplementation((request) =>
    request.revision === 5
      ? new Promise((_resolve, reject) => {
          failures.push(() => {
            reject(new CallError(failureOf('compacted', false)))
          })
        })
      : answer!(request),
  )
  const tree = new KeyTree('c', '/', 5)
  const first = tree.loadRoot()
  await vi.waitFor(() => {
    expect(failures).toHaveLength(1)
  })
  await tree.setRevision(6, Promise.resolve())
  expect(tree.rows().map(textOf)).toEqual(['/a', '/b'])
  failures[0]?.()
  await first
  expect(tree.rows().map(textOf)).toEqual(['/a', '/b'])
  expect(tree.error.value).toBeUndefined()
  vi.restoreAllMocks()
})
