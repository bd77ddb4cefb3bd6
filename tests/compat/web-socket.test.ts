/** The same conversations over WebSocket with the JSON gateways of a real etcd and of our node. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, type ClientOptions } from 'ws'
import { TestAuthority, type CertificatePaths } from '../helpers/certificates.ts'
import { expectAlike } from '../helpers/comparisons.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { ServerPair, type PairedServer } from '../helpers/server-pair.ts'
import { comparableJson } from './exclusions.ts'

/** A message to say, how many answers to have by now, how to say goodbye, or what to do meanwhile. */
type Step =
  | string
  | Buffer
  | { readonly answers: number }
  | { readonly close: number }
  | ((server: PairedServer) => Promise<unknown>)

interface Dialogue {
  readonly protocols?: readonly string[]
  readonly options?: ClientOptions
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const key = base64('k')
const create = JSON.stringify({ create_request: { key, range_end: base64('l') } })
const put = JSON.stringify({ key, value: base64('v') })

/** What the server said, and how it ended. Without a goodbye the end is the server's. */
function converse(
  server: PairedServer,
  path: string,
  steps: readonly Step[],
  { protocols = [], options = {} }: Dialogue = {},
): Promise<unknown> {
  return new Promise((resolve) => {
    const said: unknown[] = []
    let upgrade: object | undefined
    let wake: (() => void) | undefined
    const url = `${server.clientUrl.replace('http', 'ws')}${path}`
    const socket = new WebSocket(url, [...protocols], options)
    socket.on('upgrade', ({ statusCode, headers }) => {
      const { connection, upgrade: protocol, 'sec-websocket-protocol': chosen } = headers
      const extensions = headers['sec-websocket-extensions']
      upgrade = { statusCode, connection, protocol, chosen, extensions }
    })
    socket.on('unexpected-response', (_request, response) => {
      void answerOf(response).then(resolve)
    })
    socket.on('message', (data: Buffer, isBinary) => {
      const message: unknown = isBinary ? data : JSON.parse(data.toString())
      said.push(comparableJson(message, server))
      wake?.()
    })
    socket.on('error', (error) => {
      said.push(error.message)
    })
    socket.on('close', (code, reason) => {
      wake?.()
      resolve({ upgrade, said, code, reason: reason.toString() })
    })
    socket.on('open', () => {
      void take()
    })
    const take = async (): Promise<void> => {
      for (const step of steps) {
        if (typeof step === 'string' || Buffer.isBuffer(step)) socket.send(step)
        else if (typeof step === 'function') await step(server)
        else if ('close' in step) socket.close(step.close, 'goodbye')
        else {
          while (said.length < step.answers && socket.readyState === WebSocket.OPEN)
            await new Promise<void>((resume) => {
              wake = resume
            })
        }
      }
    }
  })
}

async function answerOf(response: IncomingMessage): Promise<unknown> {
  let body = ''
  for await (const chunk of response) body += String(chunk)
  const { 'access-control-allow-origin': origin, 'content-type': contentType } = response.headers
  const version = response.headers['sec-websocket-version']
  return { status: response.statusCode, body, origin, contentType, version }
}

let pair: ServerPair

beforeAll(async () => {
  pair = await ServerPair.start({ etcdProgram: newerEtcd() })
}, 120_000)

afterAll(async () => {
  await pair.dispose()
})

async function expectSame(
  path: string,
  steps: readonly Step[],
  dialogue: Dialogue = {},
  servers = pair,
): Promise<unknown> {
  const answers = await servers.both((server) => converse(server, path, steps, dialogue))
  expectAlike('WebSocket', answers, path)
  return answers.quorate
}

describe('streams', () => {
  test('a watch is begun, asked for its progress, cancelled, and another begun', async () => {
    await expectSame('/v3/watch', [
      ...[create, { answers: 1 }, '{"progress_request":{}}', { answers: 2 }],
      ...['{"cancel_request":{"watch_id":0}}', { answers: 3 }, create, { answers: 4 }],
      { close: 1000 },
    ])
  })

  test('events come as they happen', async () => {
    const write = ({ clientUrl }: PairedServer): Promise<unknown> =>
      fetch(`${clientUrl}/v3/kv/put`, { method: 'POST', body: put })
    const steps = [create, { answers: 1 }, write, { answers: 2 }, write, { answers: 3 }]
    await expectSame('/v3/watch', [...steps, { close: 1000 }])
  })

  test('a watch whose history was compacted holds back progress until it is cancelled', async () => {
    const compact = async ({ clientUrl }: PairedServer): Promise<void> => {
      const post = (path: string, body: unknown): Promise<Response> =>
        fetch(`${clientUrl}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) })
      const written = await post('put', { key, value: key })
      const { header } = (await written.json()) as { header: { revision: string } }
      await post('compaction', { revision: header.revision })
    }
    const live = JSON.stringify({ create_request: { key, watch_id: 1 } })
    const past = JSON.stringify({ create_request: { key, start_revision: 1, watch_id: 2 } })
    const progress = '{"progress_request":{}}'
    const cancel = '{"cancel_request":{"watch_id":2}}'
    await expectSame('/v3/watch', [
      ...[compact, live, { answers: 1 }, progress, { answers: 2 }, past, { answers: 4 }],
      ...[progress, cancel, { answers: 5 }, progress, { answers: 6 }, { close: 1000 }],
    ])
  })

  test.each([1000, 1001, 4000])('the client may end it with %d', async (close) => {
    await expectSame('/v3/watch', [create, { answers: 1 }, { close }])
  })

  test('a watch that nobody asks for anything ends as well', async () => {
    await expectSame('/v3/watch', [{ close: 1000 }])
  })

  test('two requests in one message', async () => {
    await expectSame('/v3/watch', [create + create, { answers: 2 }, { close: 1000 }])
  })

  test('bytes are taken for text', async () => {
    await expectSame('/v3/watch', [Buffer.from(create), { answers: 1 }, { close: 1000 }])
  })

  test('leases are kept alive as often as asked', async () => {
    await expectSame('/v3/lease/keepalive', [
      ...['{"ID":"5"}', '{"ID":"6"}{"ID":7}', { answers: 3 }, { close: 1000 }],
    ])
  })

  test('the older path, with a method that does not count', async () => {
    await expectSame('/v3beta/watch?method=GET', [create, { answers: 1 }, { close: 1000 }])
  })

  test('nothing that follows nonsense is heard', async () => {
    const answers = await pair.both(async (server) => {
      const socket = new WebSocket(`${server.clientUrl.replace('http', 'ws')}/v3/watch`)
      const said: string[] = []
      socket.on('message', (data: Buffer) => said.push(data.toString()))
      await new Promise((resolve) => socket.once('open', resolve))
      socket.send(create)
      await expect.poll(() => said.length, { timeout: 20_000 }).toBe(1)
      socket.send('nonsense')
      socket.send(create)
      // Whatever was to be said is said before the answer to this.
      await converse(server, '/v3/watch', [create, { answers: 1 }, { close: 1000 }])
      socket.terminate()
      return said.length
    })
    expectAlike('WebSocket', answers)
  })
})

describe('calls of one answer', () => {
  test.each<[string, string, string]>([
    ['put', '/v3/kv/put', put],
    ['range', '/v3/kv/range', JSON.stringify({ key, range_end: base64('l') })],
    ['members', '/v3/cluster/member/list', '{}'],
    ['a refused request', '/v3/kv/put', '{}'],
    ['what is no route', '/v3/kv/nothing', '{}'],
  ])('%s: the answer, and the end', async (_name, path, message) => {
    const { code } = (await expectSame(path, [message])) as { code: number }
    expect(code).toBe(1006)
  })

  test('a second request is not looked at', async () => {
    await expectSame('/v3/kv/range', [JSON.stringify({ key }), put])
  })

  test('nonsense is refused', async () => {
    const answers = await pair.both(async (server) => {
      const answer = (await converse(server, '/v3/kv/range', ['nonsense'])) as {
        said: { code: number }[]
      }
      return { ...answer, said: answer.said.map(({ code }) => code) }
    })
    expectAlike('WebSocket', answers)
  })

  test.each([200_000, 1_400_000, 1_600_000, 2_300_000])(
    'a value of %d bytes',
    async (sizeBytes) => {
      const value = Buffer.alloc(sizeBytes, 1).toString('base64')
      const large = { key: base64('large'), value }
      await expectSame('/v3/kv/put', [JSON.stringify(large)])
      await expectSame('/v3/kv/range', [JSON.stringify({ key: large.key })])
    },
  )
})

describe('the handshake', () => {
  const right = {
    connection: 'keep-alive, Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }

  function ask(
    server: PairedServer,
    [method, path, body]: readonly [string, string, string?],
    headers: Readonly<Record<string, string>>,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(`${server.clientUrl}${path}`, { method, headers, agent: false })
      request.on('response', (response) => {
        void answerOf(response).then((answer) => {
          resolve({ ...(answer as object), body: undefined })
        })
      })
      request.on('upgrade', (response, socket) => {
        socket.destroy()
        resolve({ status: response.statusCode, accept: response.headers['sec-websocket-accept'] })
      })
      request.on('error', reject)
      request.end(body)
    })
  }

  const json = '{"key":"YQ=="}'
  const length = { 'content-length': String(json.length) }
  test.each<[string, readonly [string, string, string?], Readonly<Record<string, string>>]>([
    ['right', ['GET', '/v3/watch'], right],
    ['among others', ['GET', '/v3/watch'], { ...right, upgrade: 'h2c, WebSocket' }],
    ['of another version', ['GET', '/v3/watch'], { ...right, 'sec-websocket-version': '8' }],
    ['without a key', ['GET', '/v3/watch'], { ...right, 'sec-websocket-key': '' }],
    ['with a key that is none', ['GET', '/v3/watch'], { ...right, 'sec-websocket-key': 'none' }],
    ['by another method', ['POST', '/v3/watch'], { ...right, 'content-length': '0' }],
    ['as a question', ['OPTIONS', '/v3/watch'], right],
    ['where there is no gateway', ['GET', '/version'], right],
    [
      'for another protocol',
      ['POST', '/v3/kv/range', json],
      { ...right, ...length, upgrade: 'h2c' },
    ],
    [
      'without naming the protocol',
      ['POST', '/v3/kv/range', json],
      { ...length, connection: 'upgrade' },
    ],
  ])('%s', async (_name, request, headers) => {
    expectAlike('WebSocket', await pair.both((server) => ask(server, request, headers)))
  })

  test('a connection whose wish was not granted can be used again', async () => {
    const heads = ['connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c', 'connection: close']
    const answers = await pair.both(async (server) => {
      const socket = connect(Number(new URL(server.clientUrl).port), '127.0.0.1')
      for (const head of heads)
        socket.write(
          `POST /v3/kv/range HTTP/1.1\r\nhost: a\r\ncontent-length: ${json.length}\r\n${head}\r\n\r\n${json}`,
        )
      let text = ''
      for await (const chunk of socket) text += String(chunk)
      return text.match(/HTTP\/1\.1 \d+/g)
    })
    expect(answers.quorate).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200'])
    expectAlike('WebSocket', answers)
  })
})

test('only those hosts and pages are served that may be', async () => {
  const strict = await ServerPair.start({
    etcdProgram: newerEtcd(),
    flags: ['--host-whitelist=127.0.0.1', '--cors=http://good.example:80'],
  })
  try {
    const steps: Step[] = [create, { answers: 1 }, { close: 1000 }]
    for (const headers of [
      { host: 'evil.example' },
      { origin: 'http://evil.example' },
      { origin: 'http://good.example:80' },
      { host: 'evil.example', origin: 'http://good.example:80' },
    ])
      await expectSame('/v3/watch', steps, { options: { headers } }, strict)
  } finally {
    await strict.dispose()
  }
}, 60_000)

describe('with users', () => {
  const tokens = new Map<string, string>()

  beforeAll(async () => {
    for (const { clientUrl, kind } of pair.servers) {
      const post = async (path: string, body: unknown): Promise<Response> =>
        fetch(`${clientUrl}/v3/auth/${path}`, { method: 'POST', body: JSON.stringify(body) })
      await post('user/add', { name: 'root', password: 'root' })
      await post('role/add', { name: 'root' })
      await post('user/grant', { user: 'root', role: 'root' })
      await post('enable', {})
      const answer = await post('authenticate', { name: 'root', password: 'root' })
      tokens.set(kind, ((await answer.json()) as { token: string }).token)
    }
  })

  test.each<[string, Dialogue]>([
    ['nothing said', {}],
    ['a token as header, which is not looked at', { options: { headers: { authorization: 'x' } } }],
    [
      'a token as metadata, which is not either',
      { options: { headers: { 'grpc-metadata-token': 'x' } } },
    ],
    ['a wrong token', { protocols: ['Bearer', 'wrong'] }],
    ['no token', { protocols: ['Bearer'] }],
    ['a wrong token as cookie', { options: { headers: { cookie: 'a=b; token=wrong' } } }],
    ['a protocol that nobody knows', { protocols: ['chat'] }],
  ])('%s', async (_name, dialogue) => {
    await expectSame('/v3/watch', [create, { answers: 1 }, { close: 1000 }], dialogue)
    await expectSame('/v3/kv/range', [JSON.stringify({ key })], dialogue)
  })

  test('a token is taken as protocol and as cookie, which etcd does since 3.6', async () => {
    const token = tokens.get('quorate') ?? ''
    for (const dialogue of [
      { protocols: ['Bearer', token] },
      { options: { headers: { cookie: `token=${token}` } } },
    ]) {
      const answer = await converse(
        pair.quorate,
        '/v3/kv/range',
        [JSON.stringify({ key })],
        dialogue,
      )
      expect(answer).toMatchObject({ said: [{ count: '1' }] })
    }
  })
})

describe('with TLS', () => {
  let folder: string
  let secure: ServerPair
  let client: CertificatePaths
  let authority: TestAuthority

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'web-socket-tls-'))
    authority = await TestAuthority.create(folder)
    const server = await authority.issue('server')
    client = await authority.issue('client', { commonName: 'alice', hosts: [] })
    secure = await ServerPair.start({
      etcdProgram: newerEtcd(),
      clientScheme: 'https',
      flags: [
        ...[`--cert-file=${server.cert}`, `--key-file=${server.key}`, '--client-cert-auth'],
        `--trusted-ca-file=${authority.certPath}`,
      ],
    })
  }, 120_000)

  afterAll(async () => {
    await secure.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a client whose certificate names a user is served until users are checked', async () => {
    const options = {
      ca: readFileSync(authority.certPath),
      cert: readFileSync(client.cert),
      key: readFileSync(client.key),
    }
    const steps: Step[] = [create, { answers: 1 }, { close: 1000 }]
    await expectSame('/v3/watch', steps, { options }, secure)
    for (const [path, body] of [
      ['user/add', { name: 'root', password: 'root' }],
      ['role/add', { name: 'root' }],
      ['user/grant', { user: 'root', role: 'root' }],
      ['enable', {}],
    ] as const)
      await expectSame(`/v3/auth/${path}`, [JSON.stringify(body)], { options }, secure)
    await expectSame('/v3/watch', steps, { options }, secure)
  })
})
