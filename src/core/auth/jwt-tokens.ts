/**
 * Tokens of the kind `jwt`: signed claims, which every member with the key can check without having seen the login.
 *
 * Source: RFC 7519; the claims `username`, `revision`, `exp` are etcd's.
 */
import type { KeyObject } from 'node:crypto'
import type * as Jose from 'jose'
import { StoreError } from '../errors/store-error.ts'
import type { AuthInfo } from './auth-store.ts'

/** Methods of signing that etcd takes. */
export const jwtMethods = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'HS256', 'HS384', 'HS512', 'EdDSA'],
] as const

/** Loaded when the first token is signed or checked: most nodes start without ever doing so. */
const loadJose = (): Promise<typeof Jose> => import('jose')

export interface JwtOptions {
  readonly method: string
  readonly ttlMs: number
  readonly verifyingKey: KeyObject
  /** Absent: this member checks tokens and gives none out. */
  readonly signingKey: KeyObject | undefined
}

/** Signs and checks tokens with one key. */
export class JwtTokens {
  private readonly options: JwtOptions

  constructor(options: JwtOptions) {
    this.options = options
  }

  /** @param wallMs  since 1970: the time of a token is compared between machines. @throws StoreError `authFailed` (no key to sign with) */
  async sign(info: AuthInfo, wallMs: number): Promise<string> {
    const { signingKey, method, ttlMs } = this.options
    if (signingKey === undefined) throw new StoreError('authFailed', { reason: 'no private key' })
    const { SignJWT } = await loadJose()
    return new SignJWT({ username: info.username, revision: info.revision })
      .setProtectedHeader({ alg: method, typ: 'JWT' })
      .setExpirationTime(Math.floor((wallMs + ttlMs) / 1_000))
      .sign(signingKey)
  }

  /** Who holds the token; undefined when it is not one of ours, or over. */
  async verify(token: string, wallMs: number): Promise<AuthInfo | undefined> {
    if (!token.split('.').every(isBase64Url)) return undefined
    const { verifyingKey, method } = this.options
    const { jwtVerify } = await loadJose()
    try {
      const { payload } = await jwtVerify(token, verifyingKey, {
        algorithms: [method],
        currentDate: new Date(wallMs),
      })
      const { username, revision } = payload
      if (typeof username !== 'string' || typeof revision !== 'number') return undefined
      return { username, revision }
    } catch (error) {
      // Whatever is wrong with a stranger's token, the answer is the same.
      if (error instanceof Error) return undefined
      throw error
    }
  }
}

/** The library reads over a last character that makes no byte; two different tokens must not be the same one. */
function isBase64Url(part: string): boolean {
  return part.length % 4 !== 1 && /^[\w-]*$/.test(part)
}
