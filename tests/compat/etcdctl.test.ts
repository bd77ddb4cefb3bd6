/** Debian's etcdctl against a real etcd and against our node: every command prints the same on both. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectAlike } from '../helpers/comparisons.ts'
import { etcdctl, type EtcdctlOptions, type EtcdctlResult } from '../helpers/etcdctl.ts'
import { ServerPair, type PairedServer } from '../helpers/server-pair.ts'
import { comparable, lastLine } from './exclusions.ts'

type Command = readonly [words: string, options?: Omit<EtcdctlOptions, 'endpoints'>]

let pair: ServerPair

beforeAll(async () => {
  pair = await ServerPair.start()
})

afterAll(async () => {
  await pair.dispose()
})

/** Words of a line; single quotes keep spaces and make empty words. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}

function printed(result: EtcdctlResult, server: PairedServer): object {
  return {
    code: result.code,
    stdout: comparable(result.stdout, server),
    stderr: comparable(lastLine(result.stderr), server),
  }
}

/** Runs the command on both. Commands run in the order of this file, so revisions stay in step. */
async function compare([line, options]: Command): Promise<{ code: number | null; stdout: string }> {
  const [etcd, quorate] = await Promise.all(
    pair.servers.map((server) =>
      etcdctl(wordsOf(line), { ...options, endpoints: server.endpoint }),
    ),
  )
  if (etcd === undefined || quorate === undefined) throw new Error('a pair are two')
  expectAlike(
    'etcdctl',
    { etcd: printed(etcd, pair.etcd), quorate: printed(quorate, pair.quorate) },
    line,
  )
  return etcd
}

async function compareAll(commands: readonly Command[]): Promise<void> {
  for (const command of commands) await compare(command)
}

describe('etcdctl', () => {
  test('put prints the same', async () => {
    await compareAll([
      ['put a 1'],
      ['put a 2'],
      ['put b 1 --prev-kv'],
      ['put b 2 --prev-kv'],
      ['put b 3 --prev-kv -w json'],
      ["put c ''"],
      ["put d 'two words'"],
      ['put e from-stdin', {}],
      ['put f', { input: 'value of standard input' }],
      ['put a --ignore-value', {}],
      ['put a new --ignore-value'],
      ['put missing --ignore-value'],
      ['put missing x --ignore-lease'],
      ["put '' x"],
    ])
  })

  test('get prints the same', async () => {
    for (let position = 0; position < 12; position++) {
      await compare([`put key${String(position).padStart(2, '0')} value${(position * 7) % 12}`])
    }
    await compareAll([
      ['put key03 changed'],
      ['put key05 changed twice --prev-kv'],
      ['get a'],
      ['get missing'],
      ['get a -w fields'],
      ['get a -w json'],
      ['get a --hex'],
      ['get a --print-value-only'],
      ['get --prefix key'],
      ["get --prefix ''"],
      ['get --prefix nothing'],
      ['get key02 key05'],
      ['get key05 key02'],
      ['get --from-key key09'],
      ["get --from-key ''"],
      ['get --prefix key --limit 3'],
      ['get --prefix key --limit 3 -w fields'],
      ['get --prefix key --limit 12 -w fields'],
      ['get --prefix key --limit 0'],
      ['get --prefix key --keys-only'],
      ['get --prefix key --keys-only -w fields'],
      ['get --prefix key --count-only'],
      ['get --prefix key --count-only -w fields'],
      ["get '' x"],
      ["get ''"],
    ])
  })

  test('get in every order prints the same', async () => {
    const targets = ['CREATE', 'KEY', 'MODIFY', 'VALUE']
    for (const target of targets) {
      for (const order of ['ASCEND', 'DESCEND']) {
        await compare([`get --prefix key --order=${order} --sort-by=${target}`])
        await compare([`get --prefix key --order=${order} --sort-by=${target} --limit=4 -w fields`])
        await compare([
          `get --prefix key --order=${order} --sort-by=${target} --keys-only --limit=2`,
        ])
      }
      await compare([`get --prefix key --sort-by=${target}`])
      await compare([`get --prefix key --sort-by=${target} --limit=5`])
    }
    await compare(['get --prefix key --order=SIDEWAYS'])
  })

  test('get at a revision prints the same', async () => {
    await compareAll([
      ['get a --rev=2'],
      ['get a --rev=3'],
      ['get a --rev=1'],
      ['get --prefix key --rev=15'],
      ['get --prefix key --rev=15 --count-only -w fields'],
      ['get a --rev=1000000'],
      ['get a --rev=9223372036854775807'],
      ['get a --rev=-1'],
      ['get a --consistency=s'],
      ['get a --consistency=s --rev=2'],
    ])
  })

  test('del prints the same', async () => {
    await compareAll([
      ['put del/1 x'],
      ['put del/2 y'],
      ['put del/3 z'],
      ['put del/4 w'],
      ['del missing'],
      ['del del/1'],
      ['del del/1'],
      ['del del/2 --prev-kv'],
      ['del --prefix del/ --prev-kv'],
      ['del --prefix del/'],
      ['put del/5 x'],
      ['put del/6 x'],
      ['put del/7 x'],
      ['del del/5 del/7 --prev-kv'],
      ['del --from-key del/7 --prev-kv -w json'],
      ["del ''"],
      ['get a -w fields'],
    ])
  })

  test('txn prints the same', async () => {
    const txn = (input: string): Command => ['txn', { input }]
    await compareAll([
      ['put t 5'],
      txn('value("t") = "5"\n\nput t 6\nget t\n\nput t 7\n\n'),
      txn('value("t") = "5"\n\nput t 8\n\nget t\ndel t\n\n'),
      txn('create("t") = "0"\n\nput t fresh\n\nget t\n\n'),
      txn('mod("t") > "1"\nver("t") < "10"\n\nget t\nput u 1\nget u\ndel u --prev-kv\n\nget t\n\n'),
      txn('value("missing") = "x"\n\nput m 1\n\nput m 2\n\n'),
      txn('create("missing") = "0"\n\nget missing\n\n\n'),
      txn('\n\n\n'),
      txn('\nget a\nget b\n\n\n'),
      txn('\nput twice 1\nput twice 2\n\n\n'),
      txn('\nput covered 1\ndel --prefix cov\n\n\n'),
      txn('\nput x 1\nget --prefix x --limit 1\ndel x\nget x\n\n\n'),
      ['txn -i', { input: 'value("t") = "6"\n\nput t interactive\n\nget t\n\n' }],
      ['txn -w json', { input: '\nput j 1\nget j\n\n\n' }],
      ['txn -w fields', { input: 'ver("j") = "1"\n\nget j\n\n\n' }],
      txn('nonsense\n\n\n\n'),
      ['get t'],
    ])
  })

  test('watch prints the same', async () => {
    const first = await compare(['put watched/1 a -w json'])
    const { header } = JSON.parse(first.stdout) as { header: { revision: number } }
    const { revision } = header
    await compareAll([
      ['put watched/2 b'],
      ['put watched/1 c'],
      ['del watched/1'],
      ['put watched/1 d'],
      [`watch watched/1 --rev=${revision}`, { lineCountMax: 12 }],
      [`watch --prefix watched/ --rev=${revision}`, { lineCountMax: 15 }],
      [`watch --prefix watched/ --rev=${revision} --prev-kv`, { lineCountMax: 19 }],
      [`watch watched/1 watched/3 --rev=${revision + 1}`, { lineCountMax: 12 }],
      [`watch --prefix watched/ --rev=${revision} -w json`, { lineCountMax: 1 }],
      [`watch --prefix watched/ --rev=${revision} -w fields`, { lineCountMax: 39 }],
    ])
  })

  test('watch sees what happens after it began', async () => {
    const watchWhilePutting = async (server: PairedServer): Promise<EtcdctlResult> => {
      const watching = etcdctl(['watch', '--prefix', 'live/', '--prev-kv'], {
        endpoints: server.endpoint,
        lineCountMax: 8,
      })
      await new Promise((resolve) => setTimeout(resolve, 500))
      await etcdctl(['put', 'live/1', 'x'], { endpoints: server.endpoint })
      await etcdctl(['put', 'live/1', 'y'], { endpoints: server.endpoint })
      return watching
    }
    const { etcd, quorate } = await pair.both(watchWhilePutting)
    expect(etcd.stdout).toContain('live/1')
    expect(quorate.stdout).toBe(etcd.stdout)
  })

  test('watch tells its progress when asked', async () => {
    await compare([
      'watch -i',
      { typedLines: ['watch live/1', 'progress', 'progress'], lineCountMax: 1 },
    ])
  })

  test('compaction prints the same, and so does what is asked of compacted history', async () => {
    await compareAll([
      ['compaction 12'],
      ['compaction 12'],
      ['compaction 11'],
      ['compaction 0'],
      ['compaction 1000000'],
      ['compaction 20 --physical'],
      ['get a --rev=19'],
      ['get a --rev=20'],
      ['get --prefix key --rev=20'],
      ['watch a --rev=3', { lineCountMax: 1 }],
      ['watch del/6 --rev=20', { lineCountMax: 6 }],
      ['txn', { input: '\nget a --rev=5\n\n\n' }],
      ['get --prefix key'],
    ])
  })

  test('member list and endpoint commands print the same', async () => {
    await compareAll([
      ['member list'],
      ['endpoint health'],
      ['endpoint health --cluster'],
      ['endpoint status'],
      ['alarm list'],
      ['defrag'],
      ['defrag --cluster'],
      ['get --prefix key'],
    ])
  })

  // The tool sends the whole URL as authority then, which strict HTTP/2 servers refuse.
  test.each(['endpoint status', 'endpoint health', 'endpoint hashkv', 'get a'])(
    '%s takes endpoints with their scheme',
    async (line) => {
      const { etcd, quorate } = await pair.both((server) =>
        etcdctl(wordsOf(line), { endpoints: `http://${server.endpoint}` }),
      )
      expect(printed(quorate, pair.quorate)).toEqual(printed(etcd, pair.etcd))
      expect(etcd.code).toBe(0)
    },
  )
})
