import { describe, expect, test, vi } from 'vitest'

// The file wires a scheme into Electron, which is not there in a plain process; what is tested needs none of it.
vi.mock('electron', () => ({ protocol: {} }))
const { findFile, isOwnPage } = await import('../../../src/main/page-protocol.ts')

describe('findFile', () => {
  test('a file of the build is found', () => {
    expect(findFile('/app/renderer', 'app://quorate/assets/main.js')).toBe(
      '/app/renderer/assets/main.js',
    )
  })

  test.each([
    ['another host', 'app://elsewhere/index.html'],
    ['a way up', 'app://quorate/..%2f..%2fsettings.json'],
    ['a kind that is not served', 'app://quorate/main.cjs'],
    ['a name with a zero byte', 'app://quorate/index%00.html'],
    ['broken escapes', 'app://quorate/%zz.html'],
    ['the folder itself', 'app://quorate/'],
  ])('%s is not served', (_what, url) => {
    expect(findFile('/app/renderer', url)).toBeUndefined()
  })
})

describe('isOwnPage', () => {
  test.each(['file:///app/index.html', 'app://quorate.evil/x', 'https://quorate/', 'app:quorate/'])(
    '%s is not ours',
    (url) => {
      expect(isOwnPage(url)).toBe(false)
    },
  )
})
