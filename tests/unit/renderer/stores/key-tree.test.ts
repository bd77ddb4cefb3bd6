import { expect, test, vi } from 'vitest'
import { kvApi } from '../../../../src/renderer/api/kv-api.ts'
import { KeyTree, type TreeRow } from '../../../../src/renderer/stores/key-tree.ts'

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
