/**
 * Who this client is to the cluster: a user with a password, and the token that stands for them.
 *
 * A token is asked for at the first call and sent with every one after it. Servers forget tokens (they expire, members
 * restart, the rules change); the call that learns of it logs in once more and goes on. A refused password is not tried
 * again by itself: some servers lock a user out after a few of them.
 */

import { AuthDefinition } from '../proto/gen/rpc.ts'
import { StoreError } from '../errors/store-error.ts'
import type { CallResult } from './endpoint.ts'
import { bindMethod, type BoundMethod } from './rpc-method.ts'
import type { CallFailure } from './status-to-error.ts'

/** A user of the cluster. */
export interface Credentials {
  readonly user: string
  /** Unknown yet: the cluster is not asked before there is one. */
  readonly password: string | undefined
}

/** One attempt of a call without a token. */
export type PlainCall = <Request, Response>(
  method: BoundMethod<Request, Response>,
  request: Request,
  options: { readonly timeoutMs: number; readonly needsLeader: boolean },
) => Promise<CallResult<Response>>

const authenticate = bindMethod(AuthDefinition, AuthDefinition.methods.authenticate)
const authenticateTimeoutMs = 5_000

/** What became of a wish for a token: absent means that the cluster does not check users. */
export type TokenResult =
  | { readonly ok: true; readonly token: string | undefined }
  | { readonly ok: false; readonly failure: CallFailure }

export class LoginSession {
  private credentials: Credentials
  private known: TokenResult | undefined
  private pending: Promise<TokenResult> | undefined

  constructor(credentials: Credentials) {
    this.credentials = credentials
    this.known = withoutPassword(credentials)
  }

  get user(): string {
    return this.credentials.user
  }

  /** Why the cluster does not let this user in; absent while it does, or was not asked yet. */
  get refusal(): CallFailure | undefined {
    return this.known?.ok === false ? this.known.failure : undefined
  }

  /** Other words to log in with; the next call tries them. */
  change(credentials: Credentials): void {
    this.credentials = credentials
    this.known = withoutPassword(credentials)
  }

  /** The token for the next call; asked for through `call` when none is known. Never rejects. */
  async token(call: PlainCall): Promise<TokenResult> {
    if (this.known !== undefined) return this.known
    this.pending ??= this.ask(call).finally(() => {
      this.pending = undefined
    })
    return this.pending
  }

  /**
   * Takes note that a call with `token` failed.
   *
   * @returns  true when another token may help
   */
  noteFailure(failure: CallFailure, token: string | undefined): boolean {
    if (!isAboutToken(failure)) return false
    // Another call may have brought a newer one meanwhile.
    if (this.known?.ok === true && this.known.token === token) this.known = undefined
    return this.known?.ok !== false
  }

  private async ask(call: PlainCall): Promise<TokenResult> {
    const { credentials } = this
    const result = await call(
      authenticate,
      { name: credentials.user, password: credentials.password ?? '' },
      { timeoutMs: authenticateTimeoutMs, needsLeader: false },
    )
    const outcome = outcomeOf(result)
    const isLasting = outcome.ok || isRefusal(outcome.failure)
    if (isLasting && this.credentials === credentials) this.known = outcome
    return outcome
  }
}

function withoutPassword({ user, password }: Credentials): TokenResult | undefined {
  if (password !== undefined) return undefined
  const serverText = `the password of ${user} is not known`
  return {
    ok: false,
    failure: {
      error: new StoreError('authFailed', { serverText }),
      status: 'invalidArgument',
      isWithoutEffect: true,
      isTransportFailure: false,
    },
  }
}

function outcomeOf(result: CallResult<{ readonly token: string }>): TokenResult {
  if (result.ok) return { ok: true, token: result.response.token }
  // A cluster that checks nobody lets everybody in.
  if (result.failure.error.code === 'authNotEnabled') return { ok: true, token: undefined }
  return { ok: false, failure: result.failure }
}

/** The server has forgotten the token, or wants one now. */
function isAboutToken(failure: CallFailure): boolean {
  const { code } = failure.error
  return code === 'invalidAuthToken' || code === 'authOldRevision' || code === 'userEmpty'
}

/** Answers that would be the same for the same words. */
function isRefusal(failure: CallFailure): boolean {
  return failure.status === 'invalidArgument' || failure.status === 'permissionDenied'
}
