/**
 * Password hashes, made and compared off the thread.
 *
 * One hash costs tens of milliseconds of a core on purpose. They run in the pool of threads that the log's sync needs too,
 * so only a few run at a time and only so many wait.
 */
import type * as Bcrypt from '@node-rs/bcrypt'
import { StoreError } from '../errors/store-error.ts'

/** bcrypt reads no more of a password; a longer one would be cut without a word. */
export const passwordSizeBytesMax = 72

const runningMax = 2

/** Loaded when the first password comes: most nodes start without ever seeing one. */
const loadBcrypt = (): Promise<typeof Bcrypt> => import('@node-rs/bcrypt')
const waitingMax = 1_000

/** Hashes and compares, a few at a time. */
export class Passwords {
  private readonly cost: number
  private runningCount = 0
  private readonly waiting: (() => void)[] = []

  /** @param cost  logarithm of the rounds, 4 to 31 */
  constructor(cost: number) {
    this.cost = cost
  }

  /**
   * The hash in base64, as it goes into the log.
   * @throws StoreError `tooManyRequests`
   */
  async hashBase64(password: string): Promise<string> {
    const text = await this.run(async () => (await loadBcrypt()).hash(password, this.cost))
    return Buffer.from(text).toString('base64')
  }

  /** @throws StoreError `tooManyRequests` */
  matches(password: string, passwordHash: Uint8Array): Promise<boolean> {
    const text = Buffer.from(passwordHash).toString('latin1')
    return this.run(async () => (await loadBcrypt()).verify(password, text))
  }

  private async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.runningCount >= runningMax) {
      if (this.waiting.length >= waitingMax) throw new StoreError('tooManyRequests')
      // Whoever ends passes its place on, so it stays counted.
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    } else {
      this.runningCount++
    }
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.runningCount--
      else next()
    }
  }
}
