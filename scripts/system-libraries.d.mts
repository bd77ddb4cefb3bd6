/** Types of `system-libraries.mjs`, which is plain JavaScript because it runs before anything is installed. */

export class LibrariesMissing extends Error {}

export function ensureSystemLibraries(options?: {
  readonly needsVirtualDisplay?: boolean
  say?(line: string): void
}): void

export function hasDisplay(): boolean

export function isRoot(): boolean
