import { describe, expect, test } from 'vitest'
import { commandLineOf } from '../../../../src/main/connections/command-line.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('commandLineOf', () => {
  test.each([
    ['/plain/key-1', 'etcdctl del /plain/key-1'],
    ['with space', "etcdctl del 'with space'"],
    ["it's; rm -rf /", "etcdctl del 'it'\\''s; rm -rf /'"],
    ['$(reboot)', "etcdctl del '$(reboot)'"],
  ])('the key %s cannot become anything but one word', (key, line) => {
    expect(commandLineOf('del', [bytes(key)])).toBe(line)
  })

  test('a key that is no text is written byte by byte, a value never', () => {
    expect(commandLineOf('put', [new Uint8Array([0xff, 0x0a])], '…')).toBe(
      "etcdctl put $'\\xff\\x0a' …",
    )
  })
})
