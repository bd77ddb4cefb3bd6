/**
 * Tokens of the kind `simple`: random letters and the log index at which they were given out, kept in memory.
 *
 * A token is drawn by the member that was asked and assigned on all members by the log entry, so that it is good
 * everywhere; how long it lives is each member's own affair, prolonged by use there. A restart forgets all tokens.
 * Pure: the caller passes a monotonic time, in milliseconds, to each call.
 */
import type { Random } from '../base/random.ts'

/** Letters in the random part. */
const letterCount = 16
const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

interface Holder {
  readonly username: string
  expiryMs: number
}

/** The part of a token that is drawn before it is proposed. The source must be one that nobody can guess. */
export function drawTokenLetters(random: Random): string {
  let text = ''
  for (let position = 0; position < letterCount; position++) {
    text += letters.charAt(random.below(letters.length))
  }
  return text
}

/**
 * The log index in a token; undefined when it has not the form of one.
 * A member must have applied that index before it can say that it does not know the token.
 */
export function indexOfToken(token: string): number | undefined {
  const match = /^[^.]*\.(\d{1,15})$/.exec(token)
  return match === null ? undefined : Number(match[1])
}

/** The tokens that one member knows. */
export class SimpleTokens {
  private readonly ttlMs: number
  /** Oldest use first: a token that is used moves to the end. */
  private readonly holders = new Map<string, Holder>()

  constructor(ttlMs: number) {
    this.ttlMs = ttlMs
  }

  /** Makes a token known. */
  assign(token: string, username: string, nowMs: number): void {
    this.holders.delete(token)
    this.holders.set(token, { username, expiryMs: nowMs + this.ttlMs })
  }

  /** Whose token it is; undefined when it is unknown or over. Prolongs it. */
  use(token: string, nowMs: number): string | undefined {
    this.sweep(nowMs)
    const holder = this.holders.get(token)
    if (holder === undefined) return undefined
    this.assign(token, holder.username, nowMs)
    return holder.username
  }

  /** Forgets all tokens of one user: the password changed, or the user has gone. */
  forgetUser(username: string): void {
    for (const [token, holder] of this.holders) {
      if (holder.username === username) this.holders.delete(token)
    }
  }

  /** Forgets everything: the checks were turned off. */
  clear(): void {
    this.holders.clear()
  }

  get count(): number {
    return this.holders.size
  }

  /** They all live equally long, so the first one that is not over ends the search. */
  private sweep(nowMs: number): void {
    for (const [token, holder] of this.holders) {
      if (holder.expiryMs > nowMs) return
      this.holders.delete(token)
    }
  }
}
