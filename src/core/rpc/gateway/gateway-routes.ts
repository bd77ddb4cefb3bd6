/** Which path of the JSON gateway stands for which call. Source: etcd v3 API, method index. */

/** One call behind a path. Messages are named with their packages. */
export interface GatewayRoute {
  readonly service: string
  readonly method: string
  readonly requestType: string
  readonly responseType: string
}

interface ServiceRoutes {
  readonly service: string
  /** Package of the messages. */
  readonly messages: string
  /** Method, then request and response where they are not the method's name and `Request` or `Response`, then the paths. */
  readonly methods: readonly (readonly [method: string, messageName: string, ...paths: string[]])[]
}

const services: readonly ServiceRoutes[] = [
  {
    service: 'etcdserverpb.KV',
    messages: 'etcdserverpb',
    methods: [
      ['Range', 'Range', '/v3/kv/range'],
      ['Put', 'Put', '/v3/kv/put'],
      ['DeleteRange', 'DeleteRange', '/v3/kv/deleterange'],
      ['Txn', 'Txn', '/v3/kv/txn'],
      ['Compact', 'Compaction', '/v3/kv/compaction'],
    ],
  },
  {
    service: 'etcdserverpb.Watch',
    messages: 'etcdserverpb',
    methods: [['Watch', 'Watch', '/v3/watch']],
  },
  {
    service: 'etcdserverpb.Lease',
    messages: 'etcdserverpb',
    methods: [
      ['LeaseGrant', 'LeaseGrant', '/v3/lease/grant'],
      ['LeaseRevoke', 'LeaseRevoke', '/v3/lease/revoke', '/v3/kv/lease/revoke'],
      ['LeaseKeepAlive', 'LeaseKeepAlive', '/v3/lease/keepalive'],
      ['LeaseTimeToLive', 'LeaseTimeToLive', '/v3/lease/timetolive', '/v3/kv/lease/timetolive'],
      ['LeaseLeases', 'LeaseLeases', '/v3/lease/leases', '/v3/kv/lease/leases'],
    ],
  },
  {
    service: 'etcdserverpb.Cluster',
    messages: 'etcdserverpb',
    methods: [
      ['MemberAdd', 'MemberAdd', '/v3/cluster/member/add'],
      ['MemberRemove', 'MemberRemove', '/v3/cluster/member/remove'],
      ['MemberUpdate', 'MemberUpdate', '/v3/cluster/member/update'],
      ['MemberList', 'MemberList', '/v3/cluster/member/list'],
      ['MemberPromote', 'MemberPromote', '/v3/cluster/member/promote'],
    ],
  },
  {
    service: 'etcdserverpb.Maintenance',
    messages: 'etcdserverpb',
    methods: [
      ['Alarm', 'Alarm', '/v3/maintenance/alarm'],
      ['Status', 'Status', '/v3/maintenance/status'],
      ['Defragment', 'Defragment', '/v3/maintenance/defragment'],
      ['Hash', 'Hash', '/v3/maintenance/hash'],
      ['HashKV', 'HashKV', '/v3/maintenance/hashkv'],
      ['Snapshot', 'Snapshot', '/v3/maintenance/snapshot'],
      ['MoveLeader', 'MoveLeader', '/v3/maintenance/transfer-leadership'],
      ['Downgrade', 'Downgrade', '/v3/maintenance/downgrade'],
    ],
  },
  {
    service: 'etcdserverpb.Auth',
    messages: 'etcdserverpb',
    methods: [
      ['AuthEnable', 'AuthEnable', '/v3/auth/enable'],
      ['AuthDisable', 'AuthDisable', '/v3/auth/disable'],
      ['AuthStatus', 'AuthStatus', '/v3/auth/status'],
      ['Authenticate', 'Authenticate', '/v3/auth/authenticate'],
      ['UserAdd', 'AuthUserAdd', '/v3/auth/user/add'],
      ['UserGet', 'AuthUserGet', '/v3/auth/user/get'],
      ['UserList', 'AuthUserList', '/v3/auth/user/list'],
      ['UserDelete', 'AuthUserDelete', '/v3/auth/user/delete'],
      ['UserChangePassword', 'AuthUserChangePassword', '/v3/auth/user/changepw'],
      ['UserGrantRole', 'AuthUserGrantRole', '/v3/auth/user/grant'],
      ['UserRevokeRole', 'AuthUserRevokeRole', '/v3/auth/user/revoke'],
      ['RoleAdd', 'AuthRoleAdd', '/v3/auth/role/add'],
      ['RoleGet', 'AuthRoleGet', '/v3/auth/role/get'],
      ['RoleList', 'AuthRoleList', '/v3/auth/role/list'],
      ['RoleDelete', 'AuthRoleDelete', '/v3/auth/role/delete'],
      ['RoleGrantPermission', 'AuthRoleGrantPermission', '/v3/auth/role/grant'],
      ['RoleRevokePermission', 'AuthRoleRevokePermission', '/v3/auth/role/revoke'],
    ],
  },
  {
    service: 'v3lockpb.Lock',
    messages: 'v3lockpb',
    methods: [
      ['Lock', 'Lock', '/v3/lock/lock'],
      ['Unlock', 'Unlock', '/v3/lock/unlock'],
    ],
  },
  {
    service: 'v3electionpb.Election',
    messages: 'v3electionpb',
    methods: [
      ['Campaign', 'Campaign', '/v3/election/campaign'],
      ['Proclaim', 'Proclaim', '/v3/election/proclaim'],
      ['Leader', 'Leader', '/v3/election/leader'],
      ['Observe', 'Leader', '/v3/election/observe'],
      ['Resign', 'Resign', '/v3/election/resign'],
    ],
  },
]

/** All paths of the gateway. */
export const gatewayRoutes: ReadonlyMap<string, GatewayRoute> = new Map(
  services.flatMap(({ service, messages, methods }) =>
    methods.flatMap(([method, messageName, ...paths]) =>
      paths.map((path): [string, GatewayRoute] => [
        path,
        {
          service,
          method,
          requestType: `${messages}.${messageName}Request`,
          responseType: `${messages}.${messageName}Response`,
        },
      ]),
    ),
  ),
)
