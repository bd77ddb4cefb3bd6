/**
 * What clients ask about users and roles, and who clients are.
 *
 * Every change goes through the log with the name of who asked, and is judged there. A login reads the newest password
 * first, compares it here, and only then proposes a token: the password itself never enters the log. Source: etcd v3 API,
 * Auth; store internals of etcd, tokens.
 */
import type { TokenChange } from '../apply/apply-auth.ts'
import { checkAccess } from '../apply/access-check.ts'
import type { AuthOperation } from '../apply/auth-operation.ts'
import type { ApplyResult } from '../apply/apply-result.ts'
import type { LoggedRequest } from '../apply/request-envelope.ts'
import type { ReplicatedState } from '../apply/applier.ts'
import type { AuthInfo, AuthStore } from '../auth/auth-store.ts'
import { rootName } from '../auth/auth-store.ts'
import type { JwtTokens } from '../auth/jwt-tokens.ts'
import { passwordSizeBytesMax, type Passwords } from '../auth/passwords.ts'
import { drawTokenLetters, indexOfToken, SimpleTokens } from '../auth/simple-tokens.ts'
import { assert } from '../base/assert.ts'
import { delay, type Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { StoreError } from '../errors/store-error.ts'

/** What a call says about who makes it. */
export interface Credentials {
  /** The token it came with; undefined when it came with none. */
  readonly token: string | undefined
  /** Name in the client's certificate, where one is asked for and counts. */
  readonly commonName: string | undefined
}

export interface AuthRequestsParts {
  readonly clock: Clock
  readonly random: Random
  readonly passwords: Passwords
  /** Undefined: tokens are simple ones. */
  readonly jwt: JwtTokens | undefined
  readonly state: () => ReplicatedState
  readonly appliedIndex: () => number
  readonly propose: (
    request: LoggedRequest,
    requester: AuthInfo | undefined,
  ) => Promise<ApplyResult>
  /** Waits until everything committed before the call is applied here. */
  readonly confirm: () => Promise<void>
}

/** How often a token of the future is looked for again. */
const tokenRetryMs = 20

/** The door for requests about users and roles. */
export class AuthRequests {
  private readonly parts: AuthRequestsParts
  private readonly tokens: SimpleTokens

  /** @param simpleTokenTtlMs  how long a simple token lives without use */
  constructor(parts: AuthRequestsParts, simpleTokenTtlMs: number) {
    this.parts = parts
    this.tokens = new SimpleTokens(simpleTokenTtlMs)
  }

  /** Whether calls have to say who makes them. */
  get isEnabled(): boolean {
    return this.store.isEnabled
  }

  /** The node does in root's name what nobody asked it for; undefined while nobody has to say who he is. */
  get rootInfo(): AuthInfo | undefined {
    return this.isEnabled ? { username: rootName, revision: this.revision } : undefined
  }

  get revision(): number {
    return this.store.revision
  }

  /** Entries changed tokens. */
  note(changes: readonly TokenChange[]): void {
    for (const change of changes) {
      if (change.kind === 'allForgotten') this.tokens.clear()
      else if (change.kind === 'userForgotten') this.tokens.forgetUser(change.username)
      else this.tokens.assign(change.token, change.username, this.parts.clock.monotonicMs())
    }
  }

  /**
   * Who makes a call; undefined while nobody has to say so.
   * @throws StoreError `invalidAuthToken`, `userEmpty`
   */
  async identify(credentials: Credentials, isGone: () => boolean): Promise<AuthInfo | undefined> {
    if (!this.isEnabled) return undefined
    const { token, commonName } = credentials
    if (token === undefined) {
      if (commonName === undefined || commonName === '') return { username: '', revision: 0 }
      return { username: commonName, revision: this.revision }
    }
    const info = await this.holderOf(token, isGone)
    if (info === undefined) throw new StoreError('invalidAuthToken')
    return info
  }

  /**
   * Logs in.
   * @returns the token
   * @throws StoreError `authNotEnabled`, `authFailed`, and those of every write
   */
  async authenticate(name: string, password: string): Promise<string> {
    await this.parts.confirm()
    for (;;) {
      if (!this.isEnabled) throw new StoreError('authNotEnabled')
      const { revision } = this
      const user = this.store.findUser(name)
      if (user === undefined) throw new StoreError('authFailed', { user: name })
      if (user.hasNoPassword) throw new StoreError('noPasswordUser', { user: name })
      if (!(await this.parts.passwords.matches(password, user.passwordHash))) {
        throw new StoreError('authFailed', { user: name })
      }
      const token = await this.giveToken(name, revision)
      // What was compared may have changed meanwhile.
      if (this.revision === revision) return token
    }
  }

  /**
   * Changes users, roles or the switch.
   * @throws StoreError  what applying it answers, and those of every write
   */
  async change(operation: AuthOperation, requester: AuthInfo | undefined): Promise<void> {
    await this.parts.propose({ kind: 'auth', operation }, requester)
  }

  /** The hash of a new password, in base64. @throws StoreError `passwordTooLong`, `tooManyRequests` */
  async hashPassword(password: string): Promise<string> {
    if (Buffer.byteLength(password) > passwordSizeBytesMax) throw new StoreError('passwordTooLong')
    return this.parts.passwords.hashBase64(password)
  }

  /** The users and roles as of now; what is read of them was committed before the call. */
  async read(): Promise<AuthStore> {
    await this.parts.confirm()
    return this.store
  }

  /** Refuses a request that is served without the log. @throws StoreError as `checkAccess` */
  check(requester: AuthInfo | undefined, request: LoggedRequest): void {
    if (this.isEnabled) checkAccess(this.parts.state(), requester ?? nobody, request)
  }

  /** Refuses everybody but root. @throws StoreError `userEmpty`, `userNotFound`, `permissionDenied` */
  checkRoot(requester: AuthInfo | undefined): void {
    this.store.checkRoot(requester ?? nobody)
  }

  /** Whether who asks has that role. */
  hasRole(requester: AuthInfo | undefined, role: string): boolean {
    const user = requester === undefined ? undefined : this.store.findUser(requester.username)
    return user?.roles.includes(role) ?? false
  }

  /** Refuses whoever does not say who he is. @throws StoreError `userEmpty`, `authOldRevision`, `permissionDenied` */
  checkUser(requester: AuthInfo | undefined): void {
    if (this.isEnabled) this.store.checkUser(requester ?? nobody)
  }

  private get store(): AuthStore {
    return this.parts.state().auth
  }

  private async giveToken(name: string, revision: number): Promise<string> {
    const { jwt, propose, random, clock } = this.parts
    const simpleToken = jwt === undefined ? drawTokenLetters(random) : ''
    const result = await propose(
      {
        kind: 'auth',
        operation: { kind: 'authenticate', request: { name, password: '', simpleToken } },
      },
      undefined,
    )
    assert(result.kind === 'auth', 'a login is answered as one')
    if (jwt !== undefined) return jwt.sign({ username: name, revision }, clock.wallMs())
    assert(result.token !== undefined, 'a login gives out a token')
    return result.token
  }

  private async holderOf(token: string, isGone: () => boolean): Promise<AuthInfo | undefined> {
    const { jwt, clock } = this.parts
    if (jwt !== undefined) return jwt.verify(token, clock.wallMs())
    const index = indexOfToken(token)
    if (index === undefined) return undefined
    // Another member gave it out; this one may not have applied that yet.
    while (this.parts.appliedIndex() < index) {
      if (isGone()) throw new StoreError('contextCanceled')
      await delay(clock, tokenRetryMs)
    }
    const username = this.tokens.use(token, clock.monotonicMs())
    return username === undefined ? undefined : { username, revision: this.revision }
  }
}

const nobody: AuthInfo = { username: '', revision: 0 }
