import { describe, expect, test } from 'vitest'
import { findMatch, piecesOf } from '../../../../src/renderer/screens/shell/palette-match.ts'

describe('findMatch', () => {
  test('the start of a word is better than its inside, and both are better than letters here and there', () => {
    const penalties = ['Maintenance: Defragment', 'Undef', 'Validate downgrade before'].map(
      (text) => findMatch(text, 'def')?.penalty ?? Infinity,
    )
    expect(penalties).toEqual([...penalties].sort((left, right) => left - right))
    expect(new Set(penalties).size).toBe(3)
  })

  test('letters in the wrong order do not match', () => {
    expect(findMatch('Keys', 'syek')).toBeUndefined()
  })

  test('an empty query matches everything', () => {
    expect(findMatch('Keys', '')).toEqual({ positions: [], penalty: 0 })
  })
})

test('piecesOf marks what was found', () => {
  expect(piecesOf('abc', [1])).toEqual([
    { text: 'a', isFound: false },
    { text: 'b', isFound: true },
    { text: 'c', isFound: false },
  ])
})
