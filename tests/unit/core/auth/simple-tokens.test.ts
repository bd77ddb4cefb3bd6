import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../../src/core/base/random.ts'
import {
  drawTokenLetters,
  indexOfToken,
  SimpleTokens,
} from '../../../../src/core/auth/simple-tokens.ts'

describe('simple tokens', () => {
  test('are sixteen letters, and differ', () => {
    const random = seededRandom(1)
    const first = drawTokenLetters(random)
    expect(first).toMatch(/^[a-zA-Z]{16}$/)
    expect(drawTokenLetters(random)).not.toBe(first)
  })

  test('name the index at which they were given out', () => {
    expect(indexOfToken('abcdefghijklmnop.42')).toBe(42)
    for (const text of ['', 'abc', 'abc.', 'abc.x', 'a.b.1', 'abc.-1', 'abc.9999999999999999']) {
      expect(indexOfToken(text)).toBeUndefined()
    }
  })

  test('live as long as they are used', () => {
    const tokens = new SimpleTokens(300)
    tokens.assign('t', 'root', 0)
    expect(tokens.use('t', 299)).toBe('root')
    expect(tokens.use('t', 598)).toBe('root')
    expect(tokens.use('t', 898)).toBeUndefined()
    expect(tokens.count).toBe(0)
  })

  test('of one user go together, those of others stay', () => {
    const tokens = new SimpleTokens(300)
    tokens.assign('a', 'root', 0)
    tokens.assign('b', 'reader', 0)
    tokens.forgetUser('root')
    expect(tokens.use('a', 1)).toBeUndefined()
    expect(tokens.use('b', 1)).toBe('reader')
    tokens.clear()
    expect(tokens.use('b', 1)).toBeUndefined()
  })
})
