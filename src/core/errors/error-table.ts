/**
 * Every expected failure: its gRPC status, its text on the wire, and whether a client may simply try again.
 *
 * The texts are fixed by the protocol: clients tell errors apart by them, word for word. Source: etcd v3 API, the
 * `rpctypes` error table. `isRetryable` means that the same request may succeed later without being changed; for a write
 * it does not say that the first attempt had no effect.
 */

/** gRPC status codes by name; the numbers stand in `grpcStatusNumbers`. */
export type GrpcStatusName = keyof typeof grpcStatusNumbers

export const grpcStatusNumbers = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const

export interface ErrorDescription {
  readonly status: GrpcStatusName
  readonly text: string
  readonly isRetryable: boolean
}

const describe = (status: GrpcStatusName, text: string, isRetryable = false): ErrorDescription => ({
  status,
  text,
  isRetryable,
})

export const errorTable = {
  emptyKey: describe('invalidArgument', 'etcdserver: key is not provided'),
  keyNotFound: describe('invalidArgument', 'etcdserver: key not found'),
  valueProvided: describe('invalidArgument', 'etcdserver: value is provided'),
  leaseProvided: describe('invalidArgument', 'etcdserver: lease is provided'),
  tooManyOps: describe('invalidArgument', 'etcdserver: too many operations in txn request'),
  duplicateKey: describe('invalidArgument', 'etcdserver: duplicate key given in txn request'),
  invalidSortOption: describe('invalidArgument', 'etcdserver: invalid sort option'),
  invalidClientApiVersion: describe('invalidArgument', 'etcdserver: invalid client api version'),
  compacted: describe('outOfRange', 'etcdserver: mvcc: required revision has been compacted'),
  futureRevision: describe(
    'outOfRange',
    'etcdserver: mvcc: required revision is a future revision',
  ),
  noSpace: describe('resourceExhausted', 'etcdserver: mvcc: database space exceeded'),
  requestTooLarge: describe('invalidArgument', 'etcdserver: request is too large'),
  tooManyRequests: describe('unknown', 'etcdserver: too many requests', true),
  leaseNotFound: describe('notFound', 'etcdserver: requested lease not found'),
  leaseExist: describe('failedPrecondition', 'etcdserver: lease already exists'),
  leaseTtlTooLarge: describe('outOfRange', 'etcdserver: too large lease TTL'),
  watchCanceled: describe('canceled', 'etcdserver: watch canceled'),
  memberExist: describe('failedPrecondition', 'etcdserver: member ID already exist'),
  peerUrlExist: describe('failedPrecondition', 'etcdserver: Peer URLs already exists'),
  memberNotEnoughStarted: describe(
    'unknown',
    'etcdserver: re-configuration failed due to not enough started members',
  ),
  memberBadUrls: describe('invalidArgument', 'etcdserver: given member URLs are invalid'),
  memberNotFound: describe('notFound', 'etcdserver: member not found'),
  memberNotLearner: describe('failedPrecondition', 'etcdserver: can only promote a learner member'),
  learnerNotReady: describe(
    'failedPrecondition',
    'etcdserver: can only promote a learner member which is in sync with leader',
  ),
  tooManyLearners: describe(
    'failedPrecondition',
    'etcdserver: too many learner members in cluster',
  ),
  unhealthy: describe('unavailable', 'etcdserver: unhealthy cluster', true),
  clusterIdMismatch: describe('failedPrecondition', 'etcdserver: cluster ID mismatch'),
  notSupportedForLearner: describe(
    'failedPrecondition',
    'etcdserver: rpc not supported for learner',
  ),
  badLeaderTransferee: describe('failedPrecondition', 'etcdserver: bad leader transferee'),
  noLeader: describe('unavailable', 'etcdserver: no leader', true),
  notLeader: describe('failedPrecondition', 'etcdserver: not leader'),
  leaderChanged: describe('unavailable', 'etcdserver: leader changed', true),
  notCapable: describe('failedPrecondition', 'etcdserver: not capable'),
  stopped: describe('unavailable', 'etcdserver: server stopped'),
  timeout: describe('unavailable', 'etcdserver: request timed out', true),
  timeoutDueToLeaderFail: describe(
    'unavailable',
    'etcdserver: request timed out, possibly due to previous leader failure',
    true,
  ),
  timeoutDueToConnectionLost: describe(
    'unavailable',
    'etcdserver: request timed out, possibly due to connection lost',
    true,
  ),
  timeoutWaitAppliedIndex: describe(
    'unavailable',
    'etcdserver: request timed out, waiting for the applied index took too long',
    true,
  ),
  corrupt: describe('dataLoss', 'etcdserver: corrupt cluster'),
  canceled: describe('canceled', 'etcdserver: request canceled'),
  deadlineExceeded: describe('deadlineExceeded', 'etcdserver: context deadline exceeded'),
  clusterVersionUnavailable: describe(
    'failedPrecondition',
    'etcdserver: cluster version not found during downgrade',
  ),
  wrongDowngradeVersionFormat: describe(
    'invalidArgument',
    'etcdserver: wrong downgrade target version format',
  ),
  invalidDowngradeTargetVersion: describe(
    'invalidArgument',
    'etcdserver: invalid downgrade target version',
  ),
  downgradeInProcess: describe(
    'failedPrecondition',
    'etcdserver: cluster has a downgrade job in progress',
  ),
  noInflightDowngrade: describe('failedPrecondition', 'etcdserver: no inflight downgrade job'),
  rootUserNotExist: describe('failedPrecondition', 'etcdserver: root user does not exist'),
  rootRoleNotExist: describe('failedPrecondition', 'etcdserver: root user does not have root role'),
  userAlreadyExist: describe('failedPrecondition', 'etcdserver: user name already exists'),
  userEmpty: describe('invalidArgument', 'etcdserver: user name is empty'),
  userNotFound: describe('failedPrecondition', 'etcdserver: user name not found'),
  roleAlreadyExist: describe('failedPrecondition', 'etcdserver: role name already exists'),
  roleNotFound: describe('failedPrecondition', 'etcdserver: role name not found'),
  roleEmpty: describe('invalidArgument', 'etcdserver: role name is empty'),
  authFailed: describe(
    'invalidArgument',
    'etcdserver: authentication failed, invalid user ID or password',
  ),
  permissionNotGiven: describe('invalidArgument', 'etcdserver: permission not given'),
  permissionDenied: describe('permissionDenied', 'etcdserver: permission denied'),
  roleNotGranted: describe('failedPrecondition', 'etcdserver: role is not granted to the user'),
  permissionNotGranted: describe(
    'failedPrecondition',
    'etcdserver: permission is not granted to the role',
  ),
  authNotEnabled: describe('failedPrecondition', 'etcdserver: authentication is not enabled'),
  noPasswordUser: describe(
    'unknown',
    'auth: authentication failed, password was given for no password user',
  ),
  passwordTooLong: describe('unknown', 'bcrypt: password length exceeds 72 bytes'),
  invalidAuthToken: describe('unauthenticated', 'etcdserver: invalid auth token'),
  invalidAuthMgmt: describe('invalidArgument', 'etcdserver: invalid auth management'),
  authOldRevision: describe('invalidArgument', 'etcdserver: revision of auth store is old'),
  contextCanceled: describe('canceled', 'context canceled'),
  contextDeadlineExceeded: describe('deadlineExceeded', 'context deadline exceeded'),
  // The two below never travel: clients make them where no server, or a server with a text of its own, was the answer.
  unreachable: describe('unavailable', 'no endpoint of the cluster answers', true),
  unrecognized: describe('unknown', 'the server refused the request'),
  leaderTransferTimeout: describe(
    'unknown',
    'etcdserver: request timed out, leader transfer took too long',
  ),
} as const satisfies Record<string, ErrorDescription>

/** Name of an expected failure. */
export type StoreErrorCode = keyof typeof errorTable
