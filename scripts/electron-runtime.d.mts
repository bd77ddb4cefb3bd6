/** Types of `electron-runtime.mjs`, which is plain JavaScript because it runs before anything is installed. */

export const rootDirectory: string

export class RuntimeNotFound extends Error {}

export interface ElectronRuntime {
  readonly executablePath: string
  readonly source: 'override' | 'installed' | 'fallback'
  readonly description: string
}

export function findElectronRuntime(options?: {
  say?(line: string): void
}): Promise<ElectronRuntime>
