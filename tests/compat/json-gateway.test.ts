/**
 * The same JSON requests, good and bad, to a real etcd and to our node: status and body are the same. Debian builds its
 * etcd 3.5 with the second version of the gateway, whose rules are those of etcd 3.6 and later.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { ServerPair, type PairedServer } from '../helpers/server-pair.ts'
import { comparableJson } from './exclusions.ts'

/** Both answer with the same, in the parser's own words. */
const parserText = 'what the parser says'

interface Answer {
  readonly status: number
  readonly contentType: string | null
  readonly metadataType: string | null
  readonly body: unknown
}

let pair: ServerPair

beforeAll(async () => {
  pair = await ServerPair.start({ etcdProgram: newerEtcd() })
}, 120_000)

afterAll(async () => {
  await pair.dispose()
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')

async function post(
  server: PairedServer,
  path: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(`${server.clientUrl}${path}`, { method: 'POST', body, headers })
  const text = await response.text()
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    metadataType: response.headers.get('grpc-metadata-content-type'),
    body: text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => comparableJson(JSON.parse(line), server)),
  }
}

async function expectSame(
  path: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const { etcd, quorate } = await pair.both((server) => post(server, path, body, headers))
  expect(quorate).toEqual(etcd)
  return quorate
}

type Case = readonly [name: string, path: string, body: unknown]
const key = base64('k')
const end = base64('z')

describe('requests that are right', () => {
  const cases: readonly Case[] = [
    ['put', '/v3/kv/put', { key, value: base64('1') }],
    ['put with the pair before', '/v3/kv/put', { key, value: base64('2'), prev_kv: true }],
    ['put in camel case', '/v3/kv/put', { key, value: base64('3'), prevKv: true }],
    ['put of an empty value', '/v3/kv/put', { key: base64('e') }],
    ['put with fields nobody knows', '/v3/kv/put', { key: base64('f'), nonsense: { a: [1] } }],
    ['put with null fields', '/v3/kv/put', { key: base64('n'), value: null, lease: null }],
    ['put of bytes', '/v3/kv/put', { key: '//79', value: 'AP8=' }],
    ['range', '/v3/kv/range', { key }],
    ['range that finds nothing', '/v3/kv/range', { key: base64('none') }],
    ['range of everything', '/v3/kv/range', { key: 'AA==', range_end: 'AA==' }],
    ['range with a limit', '/v3/kv/range', { key: 'AA==', range_end: 'AA==', limit: '2' }],
    ['range with a limit as number', '/v3/kv/range', { key: 'AA==', range_end: 'AA==', limit: 1 }],
    ['range at a revision', '/v3/kv/range', { key, revision: '2' }],
    ['range of the count', '/v3/kv/range', { key: 'AA==', range_end: 'AA==', count_only: true }],
    ['range of keys', '/v3/kv/range', { key: 'AA==', range_end: 'AA==', keys_only: true }],
    [
      'range sorted by name of the order',
      '/v3/kv/range',
      { key: 'AA==', range_end: 'AA==', sort_order: 'DESCEND', sort_target: 'MOD' },
    ],
    [
      'range sorted by number of the order',
      '/v3/kv/range',
      { key: 'AA==', range_end: 'AA==', sort_order: 2, sort_target: 3 },
    ],
    ['range that is serializable', '/v3/kv/range', { key, serializable: true }],
    [
      'transaction',
      '/v3/kv/txn',
      {
        compare: [{ key, target: 'VERSION', result: 'GREATER', version: '1' }],
        success: [
          { request_put: { key: base64('t'), value: base64('x') } },
          { request_range: { key, range_end: end } },
        ],
        failure: [{ request_delete_range: { key } }],
      },
    ],
    [
      'transaction that fails its compare',
      '/v3/kv/txn',
      {
        compare: [{ key, target: 'CREATE', result: 'EQUAL', create_revision: '0' }],
        failure: [{ request_delete_range: { key: base64('e'), prev_kv: true } }],
      },
    ],
    [
      'transaction in camel case with one within',
      '/v3/kv/txn',
      {
        compare: [{ key, value: base64('3'), target: 3 }],
        success: [{ requestTxn: { success: [{ requestRange: { key } }] } }],
      },
    ],
    ['transaction of nothing', '/v3/kv/txn', {}],
    ['delete with the pairs before', '/v3/kv/deleterange', { key: base64('t'), prev_kv: true }],
    ['delete of nothing', '/v3/kv/deleterange', { key: base64('none') }],
    ['compaction', '/v3/kv/compaction', { revision: '3' }],
    ['lease of a chosen id', '/v3/lease/grant', { ID: '77', TTL: '600' }],
    ['lease of a large id', '/v3/lease/grant', { ID: '7587862094509215239', TTL: 600 }],
    ['put with a lease', '/v3/kv/put', { key: base64('l'), value: base64('x'), lease: '77' }],
    ['leases', '/v3/lease/leases', {}],
    ['leases by the older path', '/v3/kv/lease/leases', {}],
    ['members', '/v3/cluster/member/list', {}],
    ['alarms', '/v3/maintenance/alarm', {}],
    ['alarms by name', '/v3/maintenance/alarm', { action: 'GET', alarm: 'NOSPACE' }],
    ['status', '/v3/maintenance/status', {}],
    ['defragment', '/v3/maintenance/defragment', {}],
    ['status of auth', '/v3/auth/status', {}],
    ['users', '/v3/auth/user/list', {}],
    ['roles', '/v3/auth/role/list', {}],
    ['role', '/v3/auth/role/add', { name: 'reader' }],
    [
      'permission',
      '/v3/auth/role/grant',
      { name: 'reader', perm: { permType: 'READWRITE', key, range_end: end } },
    ],
    ['role with permissions', '/v3/auth/role/get', { role: 'reader' }],
    ['user', '/v3/auth/user/add', { name: 'anna', password: 'secret' }],
    ['role of a user', '/v3/auth/user/grant', { user: 'anna', role: 'reader' }],
    ['user with roles', '/v3/auth/user/get', { name: 'anna' }],
    ['revoking a lease', '/v3/lease/revoke', { ID: '77' }],
    ['revoking by the older path', '/v3/kv/lease/revoke', { ID: '7587862094509215239' }],
  ]
  test.each(cases)('%s', async (_name, path, body) => {
    const { status } = await expectSame(path, JSON.stringify(body))
    expect(status).toBe(200)
  })
})

describe('requests that are refused', () => {
  const cases: readonly Case[] = [
    ['put without a key', '/v3/kv/put', {}],
    ['range without a key', '/v3/kv/range', {}],
    ['range of a revision to come', '/v3/kv/range', { key, revision: '1000000' }],
    ['range of a compacted revision', '/v3/kv/range', { key, revision: '1' }],
    ['compaction of a revision to come', '/v3/kv/compaction', { revision: '1000000' }],
    ['compaction again', '/v3/kv/compaction', { revision: '3' }],
    ['put with a lease that is not there', '/v3/kv/put', { key, lease: '12345' }],
    ['put of a value that is to be ignored', '/v3/kv/put', { key, value: key, ignore_value: true }],
    [
      'put ignoring a value that is not there',
      '/v3/kv/put',
      { key: base64('q'), ignore_value: true },
    ],
    [
      'transaction with a key twice',
      '/v3/kv/txn',
      { success: [{ request_put: { key } }, { request_put: { key } }] },
    ],
    [
      'transaction of too many operations',
      '/v3/kv/txn',
      { success: Array.from({ length: 129 }, () => ({ request_range: { key } })) },
    ],
    ['lease that exists', '/v3/lease/grant', { ID: '88', TTL: '600' }],
    ['lease that exists again', '/v3/lease/grant', { ID: '88', TTL: '600' }],
    ['lease of no time', '/v3/lease/grant', { ID: '89', TTL: '0' }],
    ['lease of too long a time', '/v3/lease/grant', { ID: '89', TTL: '9000000001' }],
    ['revoking a lease that is not there', '/v3/lease/revoke', { ID: '12345' }],
    ['member without URLs', '/v3/cluster/member/add', { peerURLs: [] }],
    ['removing a member that is not there', '/v3/cluster/member/remove', { ID: '12345' }],
    ['promoting a member that is not there', '/v3/cluster/member/promote', { ID: '12345' }],
    ['enabling auth without root', '/v3/auth/enable', {}],
    ['a user that exists', '/v3/auth/user/add', { name: 'anna', password: 'x' }],
    ['a user that is not there', '/v3/auth/user/get', { name: 'nobody' }],
    ['a role that exists', '/v3/auth/role/add', { name: 'reader' }],
    ['a role that is not there', '/v3/auth/role/get', { role: 'nothing' }],
    ['authenticating while auth is off', '/v3/auth/authenticate', { name: 'anna', password: 'x' }],
  ]
  test.each(cases)('%s', async (_name, path, body) => {
    await expectSame(path, JSON.stringify(body))
  })
})

describe('bodies that are no request', () => {
  test.each([
    '{',
    'null',
    '[]',
    '"text"',
    '5',
    'nonsense',
    '{"key":5}',
    '{"key":"*"}',
    '{"lease":"x"}',
    '{"lease":1.5}',
    '{"prev_kv":"yes"}',
    '{"key":{}}',
  ])('%s is answered with 400 and code 3', async (body) => {
    const { etcd, quorate } = await pair.both((server) => post(server, '/v3/kv/put', body))
    const told = (answer: Answer): unknown => ({
      ...answer,
      body: (answer.body as { code: number }[]).map(({ code }) => ({ code, message: parserText })),
    })
    expect(told(quorate)).toEqual(told(etcd))
    expect(quorate.status).toBe(400)
  })

  test.each(['', '{}', '{}{}', '{} trailing'])('%s is a message', async (body) => {
    await expectSame('/v3/cluster/member/list', body)
  })
})

describe('what is no route', () => {
  test.each([
    ['POST', '/v3/kv/nothing'],
    ['POST', '/v3/kv/range/'],
    ['POST', '/v3/'],
    ['GET', '/v3/kv/range'],
    ['PUT', '/v3/kv/put'],
    ['DELETE', '/v3/nothing'],
  ])('%s %s', async (method, path) => {
    const { etcd, quorate } = await pair.both(async (server) => {
      const response = await fetch(`${server.clientUrl}${path}`, { method })
      const contentType = response.headers.get('content-type')
      return { status: response.status, contentType, body: await response.json() }
    })
    expect(quorate).toEqual(etcd)
  })

  test('a time that cannot be read is refused', async () => {
    await expectSame('/v3/kv/range', JSON.stringify({ key }), { 'grpc-timeout': 'soon' })
  })

  test('metadata goes with a call', async () => {
    const headers = { 'grpc-metadata-hasleader': 'true', authorization: 'nonsense' }
    await expectSame('/v3/kv/range', JSON.stringify({ key }), headers)
  })
})

describe('streams', () => {
  test('a watch tells that it began, and history, line by line', async () => {
    const body = JSON.stringify({ create_request: { key, range_end: end, start_revision: '4' } })
    const { etcd, quorate } = await pair.both((server) => readLines(server, '/v3/watch', body, 2))
    expect(quorate).toEqual(etcd)
  })

  test('a refused watch is a line too', async () => {
    const body = JSON.stringify({ create_request: { key, start_revision: '1' } })
    const { etcd, quorate } = await pair.both((server) => readLines(server, '/v3/watch', body, 2))
    expect(quorate).toEqual(etcd)
  })

  test('several requests follow one another on a stream', async () => {
    const body = `{"create_request":{"key":"${key}"}} {"cancel_request":{"watch_id":"0"}}`
    const { etcd, quorate } = await pair.both((server) => readLines(server, '/v3/watch', body, 2))
    expect(quorate).toEqual(etcd)
  })

  test('a lease is kept alive as often as asked', async () => {
    await expectSame('/v3/lease/keepalive', '{"ID":"88"}{"ID":"12345"}\n{"ID":88}')
  })

  test('a stream without requests ends', async () => {
    await expectSame('/v3/lease/keepalive', '')
  })
})

describe('with auth', () => {
  const asked = JSON.stringify({ key })

  test('calls say who makes them', async () => {
    for (const [path, body] of [
      ['/v3/auth/user/add', { name: 'root', password: 'root' }],
      ['/v3/auth/role/add', { name: 'root' }],
      ['/v3/auth/user/grant', { user: 'root', role: 'root' }],
      ['/v3/auth/enable', {}],
    ] as const) {
      await expectSame(path, JSON.stringify(body))
    }
    await expectSame('/v3/kv/range', asked)
    await expectSame('/v3/kv/range', asked, { authorization: 'nonsense' })
    const wrong = JSON.stringify({ name: 'root', password: 'wrong' })
    await expectSame('/v3/auth/authenticate', wrong)
    const { etcd, quorate } = await pair.both(async (server) => {
      const said = JSON.stringify({ name: 'anna', password: 'secret' })
      const [answer] = (await post(server, '/v3/auth/authenticate', said)).body as [
        { token: string },
      ]
      const headers = { authorization: answer.token }
      return [
        await post(server, '/v3/kv/range', asked, headers),
        await post(server, '/v3/kv/range', JSON.stringify({ key: 'AA==' }), headers),
        await post(server, '/v3/auth/user/list', '{}', headers),
        await post(server, '/v3/kv/range', asked, { 'grpc-metadata-token': answer.token }),
      ]
    })
    expect(quorate).toEqual(etcd)
  })
})

/** The first lines of an answer that stays open. */
async function readLines(
  server: PairedServer,
  path: string,
  body: string,
  count: number,
): Promise<unknown> {
  const controller = new AbortController()
  const response = await fetch(`${server.clientUrl}${path}`, {
    method: 'POST',
    body,
    signal: controller.signal,
  })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  let text = ''
  while (text.split('\n').length <= count) {
    const { done, value } = await reader.read()
    if (done) break
    text += Buffer.from(value).toString()
  }
  controller.abort()
  const lines = text.split('\n').slice(0, count)
  return {
    status: response.status,
    contentType: response.headers.get('content-type'),
    lines: lines.map((line) => comparableJson(JSON.parse(line), server)),
  }
}
