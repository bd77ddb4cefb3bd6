import { describe, expect, test } from 'vitest'
import {
  parseBoolean,
  parseDurationMs,
  parseInteger,
} from '../../../../src/core/bin/flag-values.ts'
import { describeFlags, parseFlags, UsageError } from '../../../../src/core/bin/flags.ts'
import { programConfigOf, type ProgramConfig } from '../../../../src/core/bin/program-config.ts'

const text = (name: string, words: string[], environment = {}): string | undefined =>
  parseFlags(words, environment).texts.get(name)

const failure = (words: string[], environment: Record<string, string> = {}): UsageError => {
  try {
    programConfigOf(parseFlags(words, environment), environment)
  } catch (error) {
    if (error instanceof UsageError) return error
    throw error
  }
  throw new Error('the flags were accepted')
}
const config = (words: string[], environment: Record<string, string> = {}): ProgramConfig =>
  programConfigOf(parseFlags(words, environment), environment)

describe('values of flags', () => {
  test.each([
    ['1h15m30.5s', 4_530_500],
    ['100ms', 100],
    ['0', 0],
    ['0s', 0],
    ['-1.5h', -5_400_000],
    ['.5s', 500],
    ['3us', 0.003],
    ['10', undefined],
    ['ms', undefined],
    ['1 s', undefined],
    ['', undefined],
  ])('duration %s', (given, expected) => {
    expect(parseDurationMs(given)).toBe(expected)
  })

  test.each([
    ['10', 10],
    ['-1', -1],
    ['0x10', 16],
    ['010', 8],
    ['9007199254740993', undefined],
    ['1.5', undefined],
    ['', undefined],
    ['ten', undefined],
  ])('number %s', (given, expected) => {
    expect(parseInteger(given)).toBe(expected)
  })

  test.each([
    ['true', true],
    ['T', true],
    ['1', true],
    ['False', false],
    ['0', false],
    ['yes', undefined],
    ['', undefined],
  ])('boolean %s', (given, expected) => {
    expect(parseBoolean(given)).toBe(expected)
  })
})

describe('parseFlags', () => {
  test('one dash or two, with = or as two words', () => {
    for (const words of [['--name=x'], ['-name=x'], ['--name', 'x'], ['-name', 'x']]) {
      expect(text('name', words)).toBe('x')
    }
  })

  test('a value may hold an equals sign', () => {
    expect(text('initial-cluster', ['--initial-cluster', 'a=http://b:1'])).toBe('a=http://b:1')
    expect(text('initial-cluster', ['--initial-cluster=a=http://b:1'])).toBe('a=http://b:1')
  })

  test('of a flag given twice the last wins', () => {
    expect(text('name', ['--name=a', '--name=b'])).toBe('b')
  })

  test('a boolean stands alone or has a value after =', () => {
    expect(text('pre-vote', ['--pre-vote'])).toBe('true')
    expect(text('pre-vote', ['--pre-vote=false'])).toBe('false')
    expect(failure(['--pre-vote', 'false'])).toMatchObject({
      exitCode: 1,
      message: "'false' is not a valid flag",
    })
  })

  test('variables stand for flags, and an empty one for nothing', () => {
    expect(text('name', [], { ETCD_NAME: 'x' })).toBe('x')
    expect(text('name', [], { ETCD_NAME: '' })).toBe('default')
  })

  test('a flag given both ways is a conflict, even when the variable is empty', () => {
    for (const value of ['y', '']) {
      expect(failure(['--name=x'], { ETCD_NAME: value })).toMatchObject({
        exitCode: 1,
        message: expect.stringContaining(
          'conflicting environment variable "ETCD_NAME" is shadowed by corresponding command-line flag',
        ) as string,
      })
    }
  })

  test('unknown variables are reported and nothing more', () => {
    expect(parseFlags([], { ETCD_FOO: '1', PATH: 'x' }).unknownVariables).toEqual(['ETCD_FOO'])
  })

  test('the spellings of 3.5 are accepted', () => {
    expect(
      text('watch-progress-notify-interval', ['--experimental-watch-progress-notify-interval=2s']),
    ).toBe('2s')
  })

  test.each([
    [['--nothing'], 2, 'flag provided but not defined: -nothing'],
    [['--nothing=1'], 2, 'flag provided but not defined: -nothing'],
    [['--name'], 2, 'flag needs an argument: -name'],
    [['--heartbeat-interval=x'], 2, 'invalid value "x" for flag -heartbeat-interval: parse error'],
    [['--pre-vote=maybe'], 2, 'invalid value "maybe" for flag -pre-vote: parse error'],
    [
      ['--listen-client-urls=http://localhost'],
      2,
      'URL address does not have the form "host:port"',
    ],
    [
      ['--listen-client-urls=ftp://localhost:1'],
      2,
      'URL scheme must be http, https, unix, or unixs',
    ],
    [['--listen-client-urls=http://localhost:1/path'], 2, 'URL must not contain a path'],
    [['--initial-cluster-state=other'], 2, 'must be "new" or "existing"'],
    [['---name=x'], 2, 'bad flag syntax: ---name=x'],
    [['word'], 1, "'word' is not a valid flag"],
    [['--name=x', 'word'], 1, "'word' is not a valid flag"],
  ])('%j ends with code %i', (words, exitCode, message) => {
    const error = failure(words)
    expect(error.exitCode).toBe(exitCode)
    expect(error.message).toContain(message)
  })

  test('help and version ask for nothing else to be right', () => {
    expect(parseFlags(['--version'], { ETCD_NAME: 'x' }).wantsVersion).toBe(true)
    expect(parseFlags(['-h'], {}).wantsHelp).toBe(true)
    expect(describeFlags()).toContain("--listen-client-urls 'http://localhost:2379'")
  })
})

describe('programConfigOf', () => {
  test('the defaults are etcd’s', () => {
    const { node, rpc, listenClientUrls } = config([])
    expect(node).toMatchObject({
      name: 'default',
      dataDirectory: 'default.etcd',
      heartbeatMs: 100,
      electionMs: 1_000,
      requestTimeoutMs: 7_000,
      snapshotEntryCount: 10_000,
      requestSizeBytesMax: 1_572_864,
      reportedVersion: '3.7.1',
    })
    expect([...node.initialCluster]).toEqual([['default', ['http://localhost:2380']]])
    expect(rpc.txnOperationCountMax).toBe(128)
    expect(listenClientUrls.map((url) => url.text)).toEqual(['http://localhost:2379'])
  })

  test('URL lists are sorted and lose repetitions', () => {
    const { node } = config(['--initial-advertise-peer-urls=http://b:1,http://a:1,http://b:1'])
    expect(node.initialAdvertisePeerUrls).toEqual(['http://a:1', 'http://b:1'])
  })

  test('members of the initial cluster may have several URLs', () => {
    const { node } = config(['--initial-cluster=a=http://h:1,b=http://h:2,a=http://h:3'])
    expect([...node.initialCluster]).toEqual([
      ['a', ['http://h:1', 'http://h:3']],
      ['b', ['http://h:2']],
    ])
  })

  test.each([
    [['--listen-client-urls=http://127.0.0.1:1'], '--advertise-client-urls is required'],
    [['--election-timeout=400'], 'should be at least as 5 times as --heartbeat-interval'],
    [['--election-timeout=60000'], 'should be set less than 50000ms'],
    [['--heartbeat-interval=0'], '--heartbeat-interval must be >0'],
    [['--listen-peer-urls=http://example.com:1'], 'expected IP in URL for binding'],
    [['--log-level=loud'], 'unrecognized level: "loud"'],
    [['--log-format=xml'], 'unknown log format "xml"'],
    [['--tls-min-version=SSL3'], 'unexpected TLS version "SSL3"'],
    [
      ['--tls-min-version=TLS1.3', '--tls-max-version=TLS1.2'],
      'min version (TLS1.3) is greater than max version (TLS1.2)',
    ],
    [
      ['--tls-min-version=TLS1.3', '--cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA'],
      'cipher suites cannot be configured when only TLS1.3 is enabled',
    ],
    [['--cipher-suites=RC4'], 'unexpected TLS cipher suite "RC4"'],
    [
      ['--listen-client-urls=https://127.0.0.1:1', '--advertise-client-urls=https://127.0.0.1:1'],
      'TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:1 with HTTPS scheme',
    ],
    [
      ['--listen-peer-urls=https://127.0.0.1:1'],
      'cannot listen on TLS for https://127.0.0.1:1: KeyFile and CertFile are not presented',
    ],
    [['--initial-cluster=http://a:1'], 'where name=url is expected'],
    [['--auth-token=jwt,pub-key=x'], 'sign-method is ""'],
    [['--auth-token=paseto'], 'it may be simple or jwt'],
    [['--bcrypt-cost=3'], 'it may be 4 to 31'],
    [['--auto-compaction-retention=soon'], 'which periodic cannot be'],
    [['--auto-compaction-mode=daily', '--auto-compaction-retention=1'], 'periodic or revision'],
  ])('%j makes no sense', (words, message) => {
    expect(failure(words)).toMatchObject({
      exitCode: 1,
      message: expect.stringContaining(message) as string,
    })
  })

  test.each([
    ['periodic', '0', { mode: 'off' }],
    ['periodic', '2', { mode: 'periodic', periodMs: 7_200_000 }],
    ['periodic', '5m', { mode: 'periodic', periodMs: 300_000 }],
    ['revision', '1000', { mode: 'revision', keptRevisionCount: 1_000 }],
  ])('automatic compaction %s %s', (mode, retention, expected) => {
    const words = [`--auto-compaction-mode=${mode}`, `--auto-compaction-retention=${retention}`]
    expect(config(words).node.autoCompaction).toEqual(expected)
  })

  test.each([['--discovery-token=x'], ['--discovery-srv=example.com']])(
    '%s is refused and not ignored',
    (word) => {
      expect(failure([word, '--advertise-client-urls=http://127.0.0.1:1'])).toMatchObject({
        exitCode: 1,
        message: expect.stringContaining('is not supported') as string,
      })
    },
  )

  test('members are compared as often as asked for', () => {
    const checks = (words: string[]): unknown => config(words).node.corruptionChecks
    const off = { checksAtStart: false, intervalMs: 0, compactionIntervalMs: 0 }
    expect(checks([])).toEqual(off)
    expect(checks(['--compact-hash-check-time=5s'])).toEqual(off)
    expect(checks(['--experimental-corrupt-check-time=1m'])).toEqual({ ...off, intervalMs: 60_000 })
    expect(checks(['--experimental-initial-corrupt-check'])).toEqual({
      ...off,
      checksAtStart: true,
    })
    const gates = '--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true'
    expect(checks([gates])).toEqual({ ...off, checksAtStart: true, compactionIntervalMs: 60_000 })
  })

  test.each([
    ['--client-cert-auth=false'],
    ['--auth-token=simple'],
    ['--auto-compaction-retention=0'],
    ['--strict-reconfig-check=true'],
    ['--corrupt-check-time=0'],
    ['--compact-hash-check-time=60s'],
    ['--logger=zap'],
  ])('%s is what is the case already', (word) => {
    expect(config([word]).node.name).toBe('default')
  })

  test('certificates that a plain URL has no use for are warned of', () => {
    const { tls } = config(['--cert-file=a', '--key-file=b', '--auto-tls', '--client-cert-auth'])
    expect(tls.warnings.map(({ message }) => message)).toEqual([
      'ignoring client auto TLS since certs given',
      'scheme is http or unix while key and cert files are present; ignoring key and cert files',
      'scheme is http or unix while --client-cert-auth is enabled; ignoring client cert auth for this URL',
    ])
    expect(tls.client?.madeFor).toBeUndefined()
    expect(tls.identifiesClients).toBe(true)
  })

  test('a certificate is made for the hosts that are listened on', () => {
    const url = '=https://127.0.0.1:1'
    const { tls } = config([
      '--auto-tls',
      `--listen-client-urls${url}`,
      `--advertise-client-urls${url}`,
    ])
    expect(tls.client).toMatchObject({
      madeFor: ['127.0.0.1'],
      validityYears: 1,
      settings: { isSelfSigned: true, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' },
    })
    expect(tls.peer).toBeUndefined()
  })

  test('all problems are told at once', () => {
    const { message } = failure([
      '--discovery-token=x',
      '--heartbeat-interval=0',
      '--log-level=info',
    ])
    expect(message).toContain('--discovery-token=x is not supported')
    expect(message).toContain('--heartbeat-interval must be >0')
  })

  test('the reported version can be set within the versions that are spoken', () => {
    const reported = (version: string): string =>
      config([], { ETCD_QUORATE_REPORTED_VERSION: version }).node.reportedVersion
    expect(reported('3.5.21')).toBe('3.5.21')
    expect(() => reported('2.3.0')).toThrow('can be reported')
    expect(() => reported('3.8.0')).toThrow('can be reported')
  })
})

describe('flags of several releases', () => {
  test('feature gates switch what there is, by either spelling', () => {
    expect(config([]).node.writesLeaseCheckpoints).toBe(false)
    for (const word of [
      '--feature-gates=LeaseCheckpoint=true',
      '--feature-gates=LeaseCheckpoint=true,LeaseCheckpointPersist=true',
      '--experimental-enable-lease-checkpoint',
      '--experimental-enable-lease-checkpoint=true',
    ]) {
      expect(config([word]).node.writesLeaseCheckpoints).toBe(true)
    }
  })

  test.each([
    [['--feature-gates=Nothing=true'], 'unrecognized feature gate: Nothing'],
    [['--feature-gates=LeaseCheckpoint'], 'missing bool value for feature gate LeaseCheckpoint'],
    [['--feature-gates=LeaseCheckpoint=perhaps'], 'invalid value of LeaseCheckpoint: perhaps'],
    [
      ['--feature-gates=LeaseCheckpoint=true', '--experimental-enable-lease-checkpoint=true'],
      'cannot specify both flags: --experimental-enable-lease-checkpoint',
    ],
    [['--experimental-enable-lease-checkpoint-persist'], 'requires enabling feature gate'],
    [['--logger=capnslog'], 'unknown logger option "capnslog"'],
    [['--proxy=on'], '--proxy=on is not supported'],
    [['--discovery-srv=example.com'], '--discovery-srv=example.com is not supported'],
  ])('%j is refused', (words, sentence) => {
    const error = failure(words)
    expect(error.exitCode).toBe(1)
    expect(error.message).toContain(sentence)
  })

  test('what means nothing here is accepted and told', () => {
    const { idleFlags } = config([
      '--enable-v2=true',
      '--max-wals=0',
      '--experimental-backend-bbolt-freelist-type=array',
      '--backend-batch-limit=0',
      '--discovery-dial-timeout=2s',
      '--raft-read-timeout=9s',
    ])
    expect([...idleFlags]).toEqual([
      ['enable-v2', 'true'],
      ['max-wals', '0'],
      ['backend-bbolt-freelist-type', 'array'],
      ['raft-read-timeout', '9s'],
    ])
  })

  test('--debug of 3.4 is the level', () => {
    expect(config(['--debug']).log.level).toBe('debug')
  })

  test('the log may have a directory of its own', () => {
    expect(config([]).node.walDirectory).toBeUndefined()
    expect(config(['--wal-dir=/var/log/quorate']).node.walDirectory).toBe('/var/log/quorate')
  })
})
