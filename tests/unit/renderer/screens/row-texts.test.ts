import { expect, test } from 'vitest'
import { rowTexts } from '../../../../src/renderer/screens/watch/row-texts.ts'

test('a message that is asked for once takes any values, also those that look like its places', () => {
  const asked: string[] = []
  const texts = rowTexts((key, values) => {
    asked.push(key)
    const named = Object.entries(values ?? {}).map(([name, value]) => `${name} ${value}`)
    return [key, ...named, 'end'].join(' / ')
  })
  const askedCount = asked.length
  expect(texts.txn('1,024')).toBe('watch.txn / n 1,024 / end')
  expect(texts.toggle('/a $& {key}')).toBe('watch.details.toggle / key /a $& {key} / end')
  expect(texts.was('was {value}')).toBe('watch.was / value was {value} / end')
  expect(texts.sizes('2 B', '1 B')).toBe('watch.sizes / now 2 B / before 1 B / end')
  expect(texts.operations.expire).toBe('watch.expired / end')
  expect(asked).toHaveLength(askedCount)
})
