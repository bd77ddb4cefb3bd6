/** The app's own flags. They stand among Chromium's, which are none of our business. */

import { playgroundSizeMax } from '../preload/contract/limits.ts'
import { endpointSchema } from '../preload/contract/connection.ts'

export interface LaunchArguments {
  readonly userDataDirectory?: string
  /** Start a local cluster of this size. */
  readonly playgroundSize?: number
  /** Open a cluster at these endpoints. */
  readonly connectEndpoints?: readonly string[]
  /** The flags as written, for the page that shows them. */
  readonly written: readonly string[]
}

/** A flag that cannot be followed; the message is the sentence for the user. */
export class LaunchArgumentError extends Error {
  override readonly name = 'LaunchArgumentError'
}

/** Reads our flags; the last one of a name wins. @throws LaunchArgumentError */
export function parseLaunchArguments(argv: readonly string[]): LaunchArguments {
  const written = argv.filter((argument) => /^--(user-data-dir|playground|connect)=/.test(argument))
  const values = new Map(
    written.map((argument) => {
      const separator = argument.indexOf('=')
      return [argument.slice(2, separator), argument.slice(separator + 1)] as const
    }),
  )
  const userDataDirectory = values.get('user-data-dir')
  const playground = values.get('playground')
  const connect = values.get('connect')
  return {
    ...(userDataDirectory === undefined || userDataDirectory === '' ? {} : { userDataDirectory }),
    ...(playground === undefined ? {} : { playgroundSize: parseSize(playground) }),
    ...(connect === undefined ? {} : { connectEndpoints: parseEndpoints(connect) }),
    written,
  }
}

function parseSize(text: string): number {
  const size = Number(text)
  if (!Number.isInteger(size) || size < 1 || size > playgroundSizeMax) {
    throw new LaunchArgumentError(
      `--playground takes a number of nodes from 1 to ${String(playgroundSizeMax)}, not "${text}"`,
    )
  }
  return size
}

function parseEndpoints(text: string): readonly string[] {
  const endpoints = text.split(',').map((endpoint) => endpoint.trim())
  for (const endpoint of endpoints) {
    if (endpointSchema.safeParse(endpoint).success) continue
    throw new LaunchArgumentError(
      `--connect takes addresses like http://host:2379, separated by commas, not "${endpoint}"`,
    )
  }
  return endpoints
}
