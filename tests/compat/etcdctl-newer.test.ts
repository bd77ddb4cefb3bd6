/** The etcdctl of 3.5 against a real etcd 3.5 and our node: what the older tool does not have, field by field where it speaks JSON. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noteComparisons } from '../helpers/comparisons.ts'
import { etcdctl, type EtcdctlOptions, type EtcdctlResult } from '../helpers/etcdctl.ts'
import { newerEtcd } from '../helpers/newer-etcd.ts'
import { ServerPair, type PairedServer } from '../helpers/server-pair.ts'
import { comparable, lastLine } from './exclusions.ts'

let pair: ServerPair
let program: string
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'etcdctl-'))
  program = join(dirname(newerEtcd()), 'etcdctl')
  pair = await ServerPair.start({ etcdProgram: newerEtcd(), flags: ['--bcrypt-cost=4'] })
})

afterAll(async () => {
  await pair.dispose()
  rmSync(folder, { recursive: true })
})

function run(
  server: PairedServer,
  words: readonly string[],
  options: Omit<EtcdctlOptions, 'endpoints'> = {},
): Promise<EtcdctlResult> {
  return etcdctl(words, { program, ...options, endpoints: server.endpoint })
}

function printed({ code, stdout, stderr }: EtcdctlResult, server: PairedServer): object {
  return {
    code,
    stdout: comparable(stdout, server),
    stderr: comparable(lastLine(stderr), server),
  }
}

type Command = string | readonly [line: string, options: Omit<EtcdctlOptions, 'endpoints'>]

function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}

/** Commands in their order, on both servers at once. */
async function alike(commands: readonly Command[]): Promise<void> {
  const answers = await Promise.all(
    pair.servers.map(async (server) => {
      const results: object[] = []
      for (const command of commands) {
        const [line, options] = typeof command === 'string' ? [command, {}] : command
        results.push({ line, ...printed(await run(server, wordsOf(line), options), server) })
      }
      return results
    }),
  )
  noteComparisons('etcdctl 3.5', commands.length)
  for (const [index, theirs] of (answers[0] ?? []).entries()) {
    expect.soft(answers[1]?.[index]).toEqual(theirs)
  }
}

describe('etcdctl 3.5', () => {
  test('keys, in JSON', async () => {
    await alike([
      'put a 1 -w json',
      'put a 2 --prev-kv -w json',
      'put b 3 -w json',
      'get a -w json',
      'get --prefix a -w json',
      "get --prefix '' --limit 1 -w json",
      "get --prefix '' --sort-by MODIFY --order DESCEND -w json",
      "get --prefix '' --keys-only -w json",
      "get --prefix '' --count-only -w fields",
      'get a --rev 2 -w json',
      'get a --rev 99 -w json',
      'get a --consistency s -w json',
      "get --prefix '' --min-mod-rev 3 -w json",
      "get --prefix '' --max-create-rev 2 -w json",
      'put missing --ignore-value -w json',
      'del missing -w json',
      'del b --prev-kv -w json',
      ['txn -w json', { input: 'ver("a") = "2"\n\nput c 1\nget a\ndel none\n\nget b\n\n' }],
      ['txn -w json', { input: 'ver("a") = "9"\n\nput c 2\n\nget c\n\n' }],
      ['txn -i', { input: 'mod("a") > "0"\n\nput d 1\n\nget d\n\n' }],
      'compaction 3 -w json',
      'compaction 3 -w json',
      'compaction 4 --physical -w json',
      'get a --rev 1 -w json',
      'endpoint hashkv -w json',
      'endpoint hashkv --rev 5 -w json',
    ])
  })

  test('leases', async () => {
    await alike([
      'lease list',
      'lease revoke 1a2b',
      'lease timetolive 1a2b',
      'lease timetolive 1a2b --keys -w json',
      'lease keep-alive --once 1a2b',
      'lease grant',
      'lease grant x',
      'lease grant 9000000001',
      'put leased x --lease 1a2b',
    ])
    const lives = await Promise.all(
      pair.servers.map(async (server) => {
        const granted = await run(server, ['lease', 'grant', '500', '-w', 'json'])
        const { ID, ttl } = JSON.parse(granted.stdout.replace(/"ID":(\d+)/, '"ID":"$1"')) as {
          ID: string
          ttl: number
        }
        const id = BigInt(ID).toString(16)
        const results: object[] = [{ ttl }]
        for (const line of [
          `put leased/1 x --lease ${id}`,
          `put leased/2 y --lease ${id} -w json`,
          'put leased/2 --ignore-lease z -w json',
          'get leased/2 -w fields',
          `lease keep-alive --once ${id}`,
          `lease timetolive ${id}`,
          'lease list',
          `lease revoke ${id}`,
          `lease revoke ${id}`,
          'get --prefix leased',
        ]) {
          const result = printed(await run(server, wordsOf(line)), server)
          results.push(
            JSON.parse(JSON.stringify(result).replaceAll(id, 'ID').replaceAll(ID, 'ID')) as object,
          )
        }
        return results
      }),
    )
    noteComparisons('etcdctl 3.5', lives[0]?.length)
    expect(lives[1]).toEqual(lives[0])
  })

  test('endpoints, members, alarms, snapshots and leadership', async () => {
    await alike([
      'endpoint health -w json',
      'endpoint health --cluster',
      'endpoint status -w json',
      'endpoint status --cluster -w json',
      'member list',
      'member list -w json',
      'member list -w fields',
      'member list -w table',
      'member add x --peer-urls nonsense',
      'member remove 1a2b',
      'member remove x',
      'member update 1a2b --peer-urls http://127.0.0.1:1',
      'member promote 1a2b',
      'member add learner --learner --peer-urls http://127.0.0.1:1',
      'member add another --learner --peer-urls http://127.0.0.1:2',
      'member list -w simple',
      'alarm list',
      'alarm list -w json',
      'alarm disarm',
      'defrag',
      'move-leader 1a2b',
      'move-leader x',
      'snapshot save',
      'check nothing',
      'version',
    ])
    const saved = await Promise.all(
      pair.servers.map(async (server) => {
        const file = join(folder, server.kind)
        const { code, stdout } = await run(server, ['snapshot', 'save', file])
        const status = await run(server, ['snapshot', 'status', file, '-w', 'json'])
        const { revision } = JSON.parse(status.stdout) as { revision: number }
        return { code, stdout: stdout.replaceAll(file, 'FILE'), revision }
      }),
    )
    noteComparisons('etcdctl 3.5', 2)
    expect(saved[1]).toEqual(saved[0])
  })

  test('locks, elections, watches and a mirror', async () => {
    const lived = await Promise.all(
      pair.servers.map(async (server) => {
        const target = `--dest-prefix=mirrored/`
        const lines = [
          'lock a-lock echo held',
          "lock a-lock --ttl 5 sh -c 'exit 3'",
          'get --prefix a-lock',
        ]
        const results: object[] = []
        for (const line of lines) results.push(printed(await run(server, wordsOf(line)), server))
        const elected = await run(server, ['elect', 'an-election', 'me'], { lineCountMax: 2 })
        results.push(printed(elected, server))
        results.push(printed(await run(server, wordsOf('get --prefix an-election')), server))
        const watched = await run(server, ['watch', '-i'], {
          typedLines: ['watch a --rev 5', 'watch d --rev 5', 'progress'],
          // Three of an event, and the progress of both watches.
          lineCountMax: 5,
        })
        results.push({ ...printed(watched, server) })
        const mirror = run(server, ['make-mirror', target, '--prefix=d', server.endpoint], {
          lineCountMax: 1,
        })
        await expect
          .poll(async () => (await run(server, ['get', '--prefix', 'mirrored/'])).stdout, {
            timeout: 10_000,
          })
          .toContain('mirrored/')
        await mirror
        results.push(printed(await run(server, ['get', '--prefix', 'mirrored/']), server))
        return results
      }),
    )
    noteComparisons('etcdctl 3.5', lived[0]?.length)
    for (const [index, theirs] of (lived[0] ?? []).entries()) {
      expect.soft(lived[1]?.[index]).toEqual(theirs)
    }
  })

  test('users and roles, with the checks on and off', async () => {
    const root = '--user root:secret'
    const ann = '--user ann:a'
    await alike([
      'auth status',
      'auth enable',
      ['user add root --interactive=false', { input: 'secret\n' }],
      'user add ann:a',
      'user add cert --no-password',
      'user add ann:a',
      'user list -w json',
      'user get ann -w json',
      'user get nobody',
      'role add reader',
      'role add reader',
      'role grant-permission reader read a c -w json',
      'role grant-permission reader readwrite d',
      'role grant-permission reader write e/ --prefix',
      'role grant-permission reader read z --from-key',
      'role grant-permission reader wrong a',
      'role grant-permission none read a',
      'role get reader',
      'role get reader -w json',
      'role get none',
      'user grant-role ann reader',
      'user grant-role ann none',
      'user revoke-role ann none',
      'user get ann --detail',
      'role list',
      'auth enable',
      `${root} auth status`,
      'get a',
      `${ann} get a -w json`,
      `${ann} get x`,
      `${ann} put a 1`,
      `${ann} put d 1`,
      `${ann} user list`,
      `${ann} user get ann`,
      `${ann} role get reader`,
      `${ann} member list`,
      `${ann} endpoint health`,
      '--user ann:wrong get a',
      `${root} get --prefix '' -w simple`,
      [`${root} user passwd ann --interactive=false`, { input: 'b\n' }],
      `${ann} get a`,
      `${root} role revoke-permission reader d`,
      `${root} role revoke-permission reader d`,
      `${root} user revoke-role ann reader`,
      `${root} role delete reader`,
      `${root} user delete ann`,
      `${root} user delete root`,
      `${root} auth disable`,
      'auth disable',
      'auth status',
    ])
  })
})
