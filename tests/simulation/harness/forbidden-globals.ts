/** While a simulated run lasts, the real clock, timers and randomness throw: whoever reaches for them is found at once. */
import { syncBuiltinESMExports } from 'node:module'
import nodeCrypto from 'node:crypto'

interface Place {
  readonly owner: object
  readonly key: string
}

const places: readonly Place[] = [
  { owner: globalThis, key: 'setTimeout' },
  { owner: globalThis, key: 'setInterval' },
  { owner: Date, key: 'now' },
  { owner: Math, key: 'random' },
  { owner: performance, key: 'now' },
  { owner: process, key: 'hrtime' },
  { owner: nodeCrypto, key: 'randomBytes' },
  { owner: nodeCrypto, key: 'randomUUID' },
]

/** Names of what was reached for in spite of the ban, in order; the run reports them. */
export interface Forbidden {
  readonly uses: readonly string[]
  /** Puts the real ones back. */
  restore(): void
}

/**
 * Replaces the real globals. The test runner's own housekeeping shares the thread, so a call counts as forbidden only when
 * the product's or the harness's code is on the stack; any other call goes through to the real one.
 */
export function forbidGlobals(): Forbidden {
  const uses: string[] = []
  const undo: (() => void)[] = []
  for (const { owner, key } of places) {
    const real: unknown = Reflect.get(owner, key)
    if (typeof real !== 'function') continue
    const replacement = function (this: unknown, ...parameters: unknown[]): unknown {
      const stack = new Error().stack ?? ''
      if (stack.includes('/src/core/')) {
        uses.push(key)
        throw new Error(`${key} is forbidden in a simulated run`)
      }
      return Reflect.apply(real, this, parameters)
    }
    Reflect.set(owner, key, replacement)
    undo.push(() => {
      Reflect.set(owner, key, real)
    })
  }
  syncBuiltinESMExports()
  return {
    uses,
    restore: () => {
      for (const step of undo) step()
      syncBuiltinESMExports()
    },
  }
}
