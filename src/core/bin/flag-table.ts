/**
 * Every flag of etcd 3.4 to 3.7, with its default and what this program makes of it.
 *
 * A flag that is `supported` does what etcd's does. One that is `fixed` stands for something that a node must not be
 * thought to do when it does not: its default may be written out, and any other value is refused, because such a setting
 * silently ignored is worse than a node that does not start. One that is `idle` tunes or names something that there is
 * nothing of here: any value is taken, and another than the default is answered with a warning.
 *
 * @see etcd v3 API, "Server process"
 */

export type FlagKind = 'string' | 'boolean' | 'integer' | 'duration' | 'urls'

export interface FlagDescription {
  readonly name: string
  readonly kind: FlagKind
  /** Value when the flag is absent, as it would be written. */
  readonly defaultText: string
  readonly support: 'supported' | 'fixed' | 'idle'
  readonly help: string
}

type Row = readonly [
  name: string,
  kind: FlagKind,
  defaultText: string,
  support: FlagDescription['support'],
  help: string,
]

const member: readonly Row[] = [
  ['name', 'string', 'default', 'supported', 'name of this member'],
  ['data-dir', 'string', '', 'supported', 'where data is stored (default: <name>.etcd)'],
  ['wal-dir', 'string', '', 'supported', 'a directory of its own for the log'],
  [
    'snapshot-count',
    'integer',
    '10000',
    'supported',
    'applied entries between snapshots of the log',
  ],
  ['snapshot-catchup-entries', 'integer', '5000', 'supported', 'entries kept behind a snapshot'],
  ['heartbeat-interval', 'integer', '100', 'supported', 'milliseconds between heartbeats'],
  [
    'election-timeout',
    'integer',
    '1000',
    'supported',
    'milliseconds without a leader before an election',
  ],
  [
    'initial-election-tick-advance',
    'boolean',
    'true',
    'supported',
    'come to the first election sooner',
  ],
  [
    'listen-peer-urls',
    'urls',
    'http://localhost:2380',
    'supported',
    'where to listen for other members',
  ],
  [
    'listen-client-urls',
    'urls',
    'http://localhost:2379',
    'supported',
    'where to listen for clients',
  ],
  ['listen-client-http-urls', 'urls', '', 'supported', 'where to listen for HTTP clients alone'],
  [
    'max-snapshots',
    'integer',
    '5',
    'idle',
    'snapshot files kept; what is not needed is removed here',
  ],
  ['max-wals', 'integer', '5', 'idle', 'log files kept; what is not needed is removed here'],
  ['memory-mlock', 'boolean', 'false', 'idle', 'lock the database in memory'],
  [
    'quota-backend-bytes',
    'integer',
    '0',
    'supported',
    'size limit of the database (0: 2 GiB, negative: none)',
  ],
  ['backend-bbolt-freelist-type', 'string', 'map', 'idle', 'of no meaning here'],
  ['backend-batch-interval', 'duration', '0s', 'idle', 'longest wait before a database commit'],
  ['backend-batch-limit', 'integer', '0', 'idle', 'most operations before a database commit'],
  ['max-txn-ops', 'integer', '128', 'supported', 'operations in one list of a transaction'],
  ['max-request-bytes', 'integer', '1572864', 'supported', 'largest request'],
  ['max-concurrent-streams', 'integer', '4294967295', 'supported', 'HTTP/2 streams per connection'],
  [
    'grpc-keepalive-min-time',
    'duration',
    '5s',
    'supported',
    'shortest time between pings of a client',
  ],
  [
    'grpc-keepalive-interval',
    'duration',
    '2h0m0s',
    'supported',
    'time between pings of the server',
  ],
  ['grpc-keepalive-timeout', 'duration', '20s', 'supported', 'wait for the answer to a ping'],
  ['socket-reuse-port', 'boolean', 'false', 'idle', 'set SO_REUSEPORT'],
  ['socket-reuse-address', 'boolean', 'false', 'idle', 'set SO_REUSEADDR, which is set anyway'],
  ['enable-grpc-gateway', 'boolean', 'true', 'supported', 'calls in JSON over HTTP'],
  ['raft-read-timeout', 'duration', '5s', 'idle', 'of connections between members'],
  ['raft-write-timeout', 'duration', '5s', 'idle', 'of connections between members'],
  ['feature-gates', 'string', '', 'supported', 'Name=true,… switches features'],
  ['config-file', 'string', '', 'supported', 'file to read all settings from'],
]

const clustering: readonly Row[] = [
  [
    'initial-advertise-peer-urls',
    'urls',
    'http://localhost:2380',
    'supported',
    'peer URLs told to the other members',
  ],
  [
    'initial-cluster',
    'string',
    '',
    'supported',
    'all members at the start, name=url,… (default: this one alone)',
  ],
  ['initial-cluster-state', 'string', 'new', 'supported', 'new or existing'],
  [
    'initial-cluster-token',
    'string',
    'etcd-cluster',
    'supported',
    'tells clusters apart that share addresses',
  ],
  [
    'advertise-client-urls',
    'urls',
    'http://localhost:2379',
    'supported',
    'client URLs told to clients',
  ],
  ['discovery', 'string', '', 'fixed', 'discovery service'],
  ['discovery-token', 'string', '', 'fixed', 'discovery service'],
  ['discovery-endpoints', 'string', '', 'fixed', 'discovery service'],
  ['discovery-dial-timeout', 'duration', '2s', 'idle', 'discovery service'],
  ['discovery-request-timeout', 'duration', '5s', 'idle', 'discovery service'],
  ['discovery-keepalive-time', 'duration', '2s', 'idle', 'discovery service'],
  ['discovery-keepalive-timeout', 'duration', '6s', 'idle', 'discovery service'],
  ['discovery-insecure-transport', 'boolean', 'true', 'idle', 'discovery service'],
  ['discovery-insecure-skip-tls-verify', 'boolean', 'false', 'idle', 'discovery service'],
  ['discovery-cert', 'string', '', 'idle', 'discovery service'],
  ['discovery-key', 'string', '', 'idle', 'discovery service'],
  ['discovery-cacert', 'string', '', 'idle', 'discovery service'],
  ['discovery-user', 'string', '', 'idle', 'discovery service'],
  ['discovery-password', 'string', '', 'idle', 'discovery service'],
  ['discovery-fallback', 'string', 'exit', 'idle', 'discovery service'],
  ['discovery-proxy', 'string', '', 'idle', 'discovery service'],
  ['discovery-srv', 'string', '', 'fixed', 'discovery by DNS'],
  ['discovery-srv-name', 'string', '', 'idle', 'discovery by DNS'],
  [
    'strict-reconfig-check',
    'boolean',
    'true',
    'supported',
    'refuse changes that would lose the quorum',
  ],
  ['pre-vote', 'boolean', 'true', 'supported', 'ask before standing for election'],
  [
    'auto-compaction-retention',
    'string',
    '0',
    'supported',
    'history kept by automatic compaction (0: off)',
  ],
  ['auto-compaction-mode', 'string', 'periodic', 'supported', 'periodic or revision'],
  ['max-learners', 'integer', '1', 'supported', 'learners that there may be at once'],
  ['v2-deprecation', 'string', '', 'idle', 'the v2 API, which there is none of'],
]

const security: readonly Row[] = [
  ['cert-file', 'string', '', 'supported', 'certificate of the client port'],
  ['key-file', 'string', '', 'supported', 'key of the client port'],
  ['trusted-ca-file', 'string', '', 'supported', 'authority for client certificates'],
  ['client-cert-auth', 'boolean', 'false', 'supported', 'require client certificates'],
  [
    'client-cert-file',
    'string',
    '',
    'supported',
    'certificate the node uses as a client of itself',
  ],
  ['client-key-file', 'string', '', 'supported', 'key of that certificate'],
  ['client-crl-file', 'string', '', 'supported', 'revoked client certificates'],
  [
    'client-cert-allowed-hostname',
    'string',
    '',
    'supported',
    'names allowed in client certificates',
  ],
  ['auto-tls', 'boolean', 'false', 'supported', 'make a certificate for the client port'],
  ['peer-cert-file', 'string', '', 'supported', 'certificate of the peer port'],
  ['peer-key-file', 'string', '', 'supported', 'key of the peer port'],
  ['peer-trusted-ca-file', 'string', '', 'supported', 'authority for peer certificates'],
  ['peer-client-cert-auth', 'boolean', 'false', 'supported', 'require certificates of peers'],
  ['peer-client-cert-file', 'string', '', 'supported', 'certificate towards peers'],
  ['peer-client-key-file', 'string', '', 'supported', 'key of that certificate'],
  ['peer-crl-file', 'string', '', 'supported', 'revoked peer certificates'],
  ['peer-auto-tls', 'boolean', 'false', 'supported', 'make a certificate for the peer port'],
  ['peer-cert-allowed-cn', 'string', '', 'supported', 'common name allowed in peer certificates'],
  ['peer-cert-allowed-hostname', 'string', '', 'supported', 'names allowed in peer certificates'],
  [
    'peer-skip-client-san-verification',
    'boolean',
    'false',
    'supported',
    'trust peer certificates without names',
  ],
  [
    'self-signed-cert-validity',
    'integer',
    '1',
    'supported',
    'years that made certificates are valid',
  ],
  ['cipher-suites', 'string', '', 'supported', 'cipher suites of TLS 1.2'],
  ['tls-min-version', 'string', 'TLS1.2', 'supported', 'oldest version of TLS'],
  ['tls-max-version', 'string', '', 'supported', 'newest version of TLS'],
  ['cors', 'string', '*', 'supported', 'origins allowed to use HTTP'],
  ['host-whitelist', 'string', '*', 'supported', 'host names accepted over HTTP'],
  ['auth-token', 'string', 'simple', 'supported', 'simple or jwt,…'],
  ['auth-token-ttl', 'integer', '300', 'supported', 'seconds that a token lives'],
  ['bcrypt-cost', 'integer', '10', 'supported', 'cost of hashing passwords'],
]

const observability: readonly Row[] = [
  ['metrics', 'string', 'basic', 'supported', 'basic or extensive'],
  ['listen-metrics-urls', 'urls', '', 'supported', 'further listeners for metrics and health'],
  ['enable-pprof', 'boolean', 'false', 'supported', 'profiles over HTTP'],
  ['logger', 'string', 'zap', 'supported', 'zap'],
  [
    'log-outputs',
    'string',
    'default',
    'supported',
    'default, stdout, stderr or files, separated by commas',
  ],
  ['log-level', 'string', 'info', 'supported', 'debug, info, warn, error, panic or fatal'],
  ['log-format', 'string', 'json', 'supported', 'json or console'],
  ['enable-log-rotation', 'boolean', 'false', 'supported', 'put a log file aside when it is large'],
  [
    'log-rotation-config-json',
    'string',
    '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
    'supported',
    'size in megabytes, age in days and number of log files; names in local time; gzip',
  ],
  ['warning-apply-duration', 'duration', '100ms', 'supported', 'tell of slower applying'],
  [
    'warning-unary-request-duration',
    'duration',
    '300ms',
    'supported',
    'tell of slower unary calls',
  ],
  ['enable-distributed-tracing', 'boolean', 'false', 'idle', 'traces'],
  ['distributed-tracing-address', 'string', 'localhost:4317', 'idle', 'traces'],
  ['distributed-tracing-service-name', 'string', 'etcd', 'idle', 'traces'],
  ['distributed-tracing-instance-id', 'string', '', 'idle', 'traces'],
  ['distributed-tracing-sampling-rate', 'integer', '0', 'idle', 'traces'],
  ['corrupt-check-time', 'duration', '0s', 'supported', 'period of comparing members'],
  [
    'compact-hash-check-time',
    'duration',
    '1m0s',
    'supported',
    'period of comparing compaction hashes',
  ],
  ['compaction-batch-limit', 'integer', '1000', 'supported', 'revisions removed at a time'],
  ['compaction-sleep-interval', 'duration', '10ms', 'supported', 'pause between batches'],
  [
    'watch-progress-notify-interval',
    'duration',
    '10m0s',
    'supported',
    'between notifications to idle watchers',
  ],
  ['downgrade-check-time', 'duration', '5s', 'supported', 'period of the downgrade check'],
  [
    'bootstrap-defrag-threshold-megabytes',
    'integer',
    '0',
    'supported',
    'defragment at the start if it gives so much back (0: never)',
  ],
  ['force-new-cluster', 'boolean', 'false', 'supported', 'keep the data, forget the other members'],
  ['quorate-failpoints', 'boolean', 'false', 'supported', 'obey GOFAIL_HTTP and GOFAIL_FAILPOINTS'],
  ['unsafe-no-fsync', 'boolean', 'false', 'idle', 'do not sync (for tests); this node always does'],
]

/** Of releases before 3.6: switches that became feature gates, and what is gone. */
const former: readonly Row[] = [
  ['experimental-initial-corrupt-check', 'boolean', 'false', 'supported', 'InitialCorruptCheck'],
  ['experimental-compact-hash-check-enabled', 'boolean', 'false', 'supported', 'CompactHashCheck'],
  ['experimental-enable-lease-checkpoint', 'boolean', 'false', 'supported', 'LeaseCheckpoint'],
  [
    'experimental-enable-lease-checkpoint-persist',
    'boolean',
    'false',
    'supported',
    'LeaseCheckpointPersist',
  ],
  [
    'experimental-stop-grpc-service-on-defrag',
    'boolean',
    'false',
    'supported',
    'StopGRPCServiceOnDefrag',
  ],
  [
    'experimental-txn-mode-write-with-shared-buffer',
    'boolean',
    'true',
    'supported',
    'TxnModeWriteWithSharedBuffer',
  ],
  ['debug', 'boolean', 'false', 'supported', 'the same as --log-level=debug'],
  ['log-package-levels', 'string', '', 'idle', 'levels of single packages'],
  ['enable-v2', 'boolean', 'false', 'idle', 'the v2 API, which there is none of'],
  ['experimental-enable-v2v3', 'string', '', 'idle', 'the v2 API, which there is none of'],
  ['proxy', 'string', 'off', 'fixed', 'the v2 proxy'],
  ['proxy-failure-wait', 'integer', '5000', 'idle', 'the v2 proxy'],
  ['proxy-refresh-interval', 'integer', '30000', 'idle', 'the v2 proxy'],
  ['proxy-dial-timeout', 'integer', '1000', 'idle', 'the v2 proxy'],
  ['proxy-write-timeout', 'integer', '5000', 'idle', 'the v2 proxy'],
  ['proxy-read-timeout', 'integer', '0', 'idle', 'the v2 proxy'],
]

/** All flags by name. */
export const flagTable: ReadonlyMap<string, FlagDescription> = new Map(
  [...member, ...clustering, ...security, ...observability, ...former].map(
    ([name, kind, defaultText, support, help]) => [
      name,
      { name, kind, defaultText, support, help },
    ],
  ),
)

/** Spellings of etcd up to 3.5 whose meaning has not changed. */
export const formerFlagNames: ReadonlyMap<string, string> = new Map(
  [
    'compact-hash-check-time',
    'corrupt-check-time',
    'compaction-batch-limit',
    'compaction-sleep-interval',
    'watch-progress-notify-interval',
    'max-learners',
    'warning-apply-duration',
    'warning-unary-request-duration',
    'bootstrap-defrag-threshold-megabytes',
    'backend-bbolt-freelist-type',
    'memory-mlock',
    'snapshot-catchup-entries',
    'downgrade-check-time',
    'peer-skip-client-san-verification',
    'enable-distributed-tracing',
    'distributed-tracing-address',
    'distributed-tracing-service-name',
    'distributed-tracing-instance-id',
    'distributed-tracing-sampling-rate',
  ].map((name) => [`experimental-${name}`, name]),
)
