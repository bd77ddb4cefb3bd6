/** The client on a node that asks for certificates. The build must have been run. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Client } from '../../../src/core/client/client.ts'
import type { ClientTlsOptions } from '../../../src/core/client/endpoint.ts'
import { StoreError } from '../../../src/core/errors/store-error.ts'
import { systemClock } from '../../../src/core/io/system-clock.ts'
import { systemRandom } from '../../../src/core/io/system-random.ts'
import { TestAuthority } from '../../helpers/certificates.ts'
import { quoratedProgram, readyLine } from '../../helpers/quorated.ts'
import { freePorts } from '../../helpers/real-etcd.ts'
import { ServerProcess } from '../../helpers/server-process.ts'

let folder: string
let node: ServerProcess
let address: string
let authorities: Uint8Array
let strangerAuthorities: Uint8Array
let identity: NonNullable<ClientTlsOptions['identity']>
const clients: Client[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-client-tls-'))
  const authority = await TestAuthority.create(folder)
  const stranger = await TestAuthority.create(folder, 'stranger')
  const server = await authority.issue('server', { hosts: ['node.example', 'localhost'] })
  const user = await authority.issue('user', { commonName: 'alice', hosts: [] })
  authorities = readFileSync(authority.certPath)
  strangerAuthorities = readFileSync(stranger.certPath)
  identity = { certificates: readFileSync(user.cert), privateKey: readFileSync(user.key) }
  const [clientPort, peerPort] = await freePorts(2)
  address = `127.0.0.1:${String(clientPort)}`
  const peerUrl = `http://127.0.0.1:${String(peerPort)}`
  node = new ServerProcess(quoratedProgram, {
    args: [
      '--name=n',
      `--data-dir=${join(folder, 'data')}`,
      `--listen-client-urls=https://${address}`,
      `--advertise-client-urls=https://${address}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=n=${peerUrl}`,
      `--cert-file=${server.cert}`,
      `--key-file=${server.key}`,
      `--trusted-ca-file=${authority.certPath}`,
      '--client-cert-auth',
    ],
  })
  await node.waitForLine(readyLine)
}, 60_000)

afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})

afterAll(async () => {
  await node.kill()
  rmSync(folder, { recursive: true, force: true })
})

function connect(endpoint: string, tls?: ClientTlsOptions): Client {
  const client = new Client({
    clock: systemClock,
    random: systemRandom,
    endpoints: [endpoint],
    ...(tls === undefined ? {} : { tls }),
  })
  clients.push(client)
  return client
}

const members = (client: Client) =>
  client.cluster.listMembers({ isLinearizable: true, timeoutMs: 2_000 })

describe('a client with TLS', () => {
  test.each(['https://', ''])('shows its certificate at %shost:port', async (scheme) => {
    const client = connect(`${scheme}${address}`, {
      authorities,
      identity,
      serverName: 'node.example',
    })
    expect((await members(client)).members[0]).toMatchObject({
      name: 'n',
      clientUrls: [`https://${address}`],
    })
    expect(client.pool.active().url).toBe(`https://${address}`)
  })

  test('asks a member by the https address that it announces', () => {
    const client = connect(address, { authorities, identity, serverName: 'node.example' })
    const other = client.findEndpoint(`https://${address}/`)
    expect(other).toBe(client.pool.active())
    expect(client.findEndpoint('https://127.0.0.1:1')?.url).toBe('https://127.0.0.1:1')
  })

  test.each<[string, () => ClientTlsOptions]>([
    [
      'of a server of another authority',
      () => ({ authorities: strangerAuthorities, identity, serverName: 'node.example' }),
    ],
    ['of another name', () => ({ authorities, identity })],
    ['that asks for a certificate it has not', () => ({ authorities, serverName: 'node.example' })],
  ])('is not content with a connection %s', async (_name, tls) => {
    await expect(members(connect(address, tls()))).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('without TLS nothing is reached', async () => {
    await expect(members(connect(`http://${address}`))).rejects.toMatchObject({
      code: 'unreachable',
    })
  })

  test('a key that is none is refused at once', () => {
    const privateKey = Buffer.from('no key')
    const make = (): Client =>
      connect(address, { authorities, identity: { ...identity, privateKey } })
    expect(make).toThrow(StoreError)
    expect(make).toThrow(/no endpoint of the cluster answers/)
  })
})
