import { describe, expect, test } from 'vitest'
import { LaunchArgumentError, parseLaunchArguments } from '../../../src/main/launch-arguments.ts'

describe('parseLaunchArguments', () => {
  test('our flags are found among those of Chromium', () => {
    const argv = [
      'electron',
      '--no-sandbox',
      '/app',
      '--playground=5',
      '--user-data-dir=/tmp/x',
      '--inspect=0',
    ]
    expect(parseLaunchArguments(argv)).toEqual({
      playgroundSize: 5,
      userDataDirectory: '/tmp/x',
      written: ['--playground=5', '--user-data-dir=/tmp/x'],
    })
  })

  test('endpoints are separated by commas', () => {
    const { connectEndpoints } = parseLaunchArguments([
      '--connect=http://a:2379, b:2379,https://c:1',
    ])
    expect(connectEndpoints).toEqual(['http://a:2379', 'b:2379', 'https://c:1'])
  })

  test('the last of a flag given twice wins', () => {
    expect(parseLaunchArguments(['--playground=3', '--playground=1']).playgroundSize).toBe(1)
  })

  test.each([
    ['--playground=0', '--playground takes a number of nodes from 1 to 7, not "0"'],
    ['--playground=three', '--playground takes a number of nodes from 1 to 7, not "three"'],
    ['--connect=', '--connect takes addresses like http://host:2379, separated by commas, not ""'],
    [
      '--connect=ftp://host:2379',
      '--connect takes addresses like http://host:2379, separated by commas, not "ftp://host:2379"',
    ],
  ])('%s is refused with a sentence', (argument, sentence) => {
    expect(() => parseLaunchArguments([argument])).toThrow(new LaunchArgumentError(sentence))
  })
})
