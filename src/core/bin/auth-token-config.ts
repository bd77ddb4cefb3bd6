/** The flag `--auth-token`: which kind of tokens a member gives out and takes. */
import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { jwtMethods, type JwtOptions } from '../node/node-config.ts'
import { parseDurationMs } from './flag-values.ts'

/** etcd's time for signed tokens when none is given. */
const jwtTtlMsDefault = 5 * 60_000

/**
 * What `jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=5m` says; undefined for `simple`.
 * What is wrong is added to `problems`.
 */
export function jwtOptionsOf(text: string, problems: string[]): JwtOptions | undefined {
  const [kind = '', ...settings] = text.split(',')
  if (kind === 'simple') return undefined
  if (kind !== 'jwt') {
    problems.push(`--auth-token is "${text}"; it may be simple or jwt,…`)
    return undefined
  }
  try {
    return parseJwt(new Map(settings.map(splitSetting)))
  } catch (error) {
    problems.push(`--auth-token cannot be used: ${error instanceof Error ? error.message : ''}`)
    return undefined
  }
}

function splitSetting(setting: string): [string, string] {
  const at = setting.indexOf('=')
  if (at < 1) throw new Error(`"${setting}" is no name=value`)
  return [setting.slice(0, at), setting.slice(at + 1)]
}

function parseJwt(settings: ReadonlyMap<string, string>): JwtOptions {
  const method = settings.get('sign-method') ?? ''
  if (!(jwtMethods as readonly string[]).includes(method)) {
    throw new Error(`sign-method is "${method}"; it may be ${jwtMethods.join(', ')}`)
  }
  const ttlText = settings.get('ttl')
  const ttlMs = ttlText === undefined ? jwtTtlMsDefault : parseDurationMs(ttlText)
  if (ttlMs === undefined || ttlMs <= 0) throw new Error(`ttl is "${ttlText ?? ''}"`)
  const keys = method.startsWith('HS') ? sharedKey(settings) : keyPair(settings)
  return { method, ttlMs, ...keys }
}

type Keys = Pick<JwtOptions, 'verifyingKey' | 'signingKey'>

function sharedKey(settings: ReadonlyMap<string, string>): Keys {
  const path = settings.get('priv-key')
  if (path === undefined) throw new Error('priv-key is missing')
  const key = createSecretKey(readFileSync(path))
  return { verifyingKey: key, signingKey: key }
}

/** A private key holds the public one. */
function keyPair(settings: ReadonlyMap<string, string>): Keys {
  const [publicPath, privatePath] = [settings.get('pub-key'), settings.get('priv-key')]
  const signingKey: KeyObject | undefined =
    privatePath === undefined ? undefined : createPrivateKey(readFileSync(privatePath))
  if (publicPath !== undefined) {
    return { verifyingKey: createPublicKey(readFileSync(publicPath)), signingKey }
  }
  if (signingKey === undefined) throw new Error('neither pub-key nor priv-key is given')
  return { verifyingKey: createPublicKey(signingKey), signingKey }
}
