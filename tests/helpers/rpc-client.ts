/** Typed gRPC calls to a server by the names of its methods, with answers in a form that can be compared. */
import {
  AlarmRequest,
  AlarmResponse,
  AuthDisableRequest,
  AuthDisableResponse,
  AuthEnableRequest,
  AuthEnableResponse,
  AuthenticateRequest,
  AuthenticateResponse,
  AuthRoleAddRequest,
  AuthRoleAddResponse,
  AuthRoleDeleteRequest,
  AuthRoleDeleteResponse,
  AuthRoleGetRequest,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionRequest,
  AuthRoleGrantPermissionResponse,
  AuthRoleListRequest,
  AuthRoleListResponse,
  AuthRoleRevokePermissionRequest,
  AuthRoleRevokePermissionResponse,
  AuthStatusRequest,
  AuthStatusResponse,
  AuthUserAddRequest,
  AuthUserAddResponse,
  AuthUserChangePasswordRequest,
  AuthUserChangePasswordResponse,
  AuthUserDeleteRequest,
  AuthUserDeleteResponse,
  AuthUserGetRequest,
  AuthUserGetResponse,
  AuthUserGrantRoleRequest,
  AuthUserGrantRoleResponse,
  AuthUserListRequest,
  AuthUserListResponse,
  AuthUserRevokeRoleRequest,
  AuthUserRevokeRoleResponse,
  CompactionRequest,
  CompactionResponse,
  DefragmentRequest,
  DefragmentResponse,
  DowngradeRequest,
  DowngradeResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  HashKVRequest,
  HashKVResponse,
  HashRequest,
  HashResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  StatusRequest,
  StatusResponse,
  TxnRequest,
  TxnResponse,
} from '../../src/core/proto/gen/rpc.ts'
import { framed, RawGrpcClient } from './raw-grpc.ts'

interface Encoder<Request> {
  fromPartial(fields: Partial<Request>): Request
  encode(request: Request): { finish(): Uint8Array }
}

interface Method<Request, Response> {
  readonly path: string
  readonly request: Encoder<Request>
  readonly response: { decode(bytes: Uint8Array): Response }
}

function method<Request, Response>(
  path: string,
  request: Encoder<Request>,
  response: { decode(bytes: Uint8Array): Response },
): Method<Request, Response> {
  return { path: `/etcdserverpb.${path}`, request, response }
}

/** Every unary method that the comparisons call. */
export const methods = {
  range: method('KV/Range', RangeRequest, RangeResponse),
  put: method('KV/Put', PutRequest, PutResponse),
  deleteRange: method('KV/DeleteRange', DeleteRangeRequest, DeleteRangeResponse),
  txn: method('KV/Txn', TxnRequest, TxnResponse),
  compact: method('KV/Compact', CompactionRequest, CompactionResponse),
  leaseGrant: method('Lease/LeaseGrant', LeaseGrantRequest, LeaseGrantResponse),
  leaseRevoke: method('Lease/LeaseRevoke', LeaseRevokeRequest, LeaseRevokeResponse),
  leaseTimeToLive: method('Lease/LeaseTimeToLive', LeaseTimeToLiveRequest, LeaseTimeToLiveResponse),
  leaseLeases: method('Lease/LeaseLeases', LeaseLeasesRequest, LeaseLeasesResponse),
  memberList: method('Cluster/MemberList', MemberListRequest, MemberListResponse),
  memberAdd: method('Cluster/MemberAdd', MemberAddRequest, MemberAddResponse),
  memberRemove: method('Cluster/MemberRemove', MemberRemoveRequest, MemberRemoveResponse),
  memberUpdate: method('Cluster/MemberUpdate', MemberUpdateRequest, MemberUpdateResponse),
  memberPromote: method('Cluster/MemberPromote', MemberPromoteRequest, MemberPromoteResponse),
  status: method('Maintenance/Status', StatusRequest, StatusResponse),
  alarm: method('Maintenance/Alarm', AlarmRequest, AlarmResponse),
  defragment: method('Maintenance/Defragment', DefragmentRequest, DefragmentResponse),
  hash: method('Maintenance/Hash', HashRequest, HashResponse),
  hashKv: method('Maintenance/HashKV', HashKVRequest, HashKVResponse),
  downgrade: method('Maintenance/Downgrade', DowngradeRequest, DowngradeResponse),
  moveLeader: method('Maintenance/MoveLeader', MoveLeaderRequest, MoveLeaderResponse),
  authEnable: method('Auth/AuthEnable', AuthEnableRequest, AuthEnableResponse),
  authDisable: method('Auth/AuthDisable', AuthDisableRequest, AuthDisableResponse),
  authStatus: method('Auth/AuthStatus', AuthStatusRequest, AuthStatusResponse),
  authenticate: method('Auth/Authenticate', AuthenticateRequest, AuthenticateResponse),
  userAdd: method('Auth/UserAdd', AuthUserAddRequest, AuthUserAddResponse),
  userGet: method('Auth/UserGet', AuthUserGetRequest, AuthUserGetResponse),
  userList: method('Auth/UserList', AuthUserListRequest, AuthUserListResponse),
  userDelete: method('Auth/UserDelete', AuthUserDeleteRequest, AuthUserDeleteResponse),
  userChangePassword: method(
    'Auth/UserChangePassword',
    AuthUserChangePasswordRequest,
    AuthUserChangePasswordResponse,
  ),
  userGrantRole: method('Auth/UserGrantRole', AuthUserGrantRoleRequest, AuthUserGrantRoleResponse),
  userRevokeRole: method(
    'Auth/UserRevokeRole',
    AuthUserRevokeRoleRequest,
    AuthUserRevokeRoleResponse,
  ),
  roleAdd: method('Auth/RoleAdd', AuthRoleAddRequest, AuthRoleAddResponse),
  roleGet: method('Auth/RoleGet', AuthRoleGetRequest, AuthRoleGetResponse),
  roleList: method('Auth/RoleList', AuthRoleListRequest, AuthRoleListResponse),
  roleDelete: method('Auth/RoleDelete', AuthRoleDeleteRequest, AuthRoleDeleteResponse),
  roleGrantPermission: method(
    'Auth/RoleGrantPermission',
    AuthRoleGrantPermissionRequest,
    AuthRoleGrantPermissionResponse,
  ),
  roleRevokePermission: method(
    'Auth/RoleRevokePermission',
    AuthRoleRevokePermissionRequest,
    AuthRoleRevokePermissionResponse,
  ),
} as const

type Methods = typeof methods
export type MethodName = keyof Methods
export type RequestOf<Name extends MethodName> =
  Methods[Name] extends Method<infer Request, infer Response>
    ? Response extends object
      ? Request
      : never
    : never
export type ResponseOf<Name extends MethodName> =
  Methods[Name] extends Method<infer Request, infer Response>
    ? Request extends object
      ? Response
      : never
    : never

/** What came of a call. */
export interface RpcAnswer<Response> {
  readonly code: number
  readonly text: string
  /** Undefined where the call failed. */
  readonly response: Response | undefined
}

/** Calls one server. */
export class RpcClient {
  readonly raw: RawGrpcClient
  /** Sent with every call, where there is one. */
  token: string | undefined

  /** @param url  `http://host:port` */
  constructor(url: string, token?: string) {
    this.raw = new RawGrpcClient(url)
    this.token = token
  }

  get headers(): Record<string, string> {
    return this.token === undefined ? {} : { token: this.token }
  }

  async call<Name extends MethodName>(
    name: Name,
    fields: Partial<RequestOf<Name>> = {},
    headers: Readonly<Record<string, string>> = this.headers,
  ): Promise<RpcAnswer<ResponseOf<Name>>> {
    const { path, request, response } = methods[name] as unknown as Method<
      RequestOf<Name>,
      ResponseOf<Name>
    >
    const body = framed(request.encode(request.fromPartial(fields)).finish())
    const answer = await this.raw.call(path, body, headers)
    const [message] = answer.messages
    return {
      code: answer.code,
      text: answer.text,
      response: message === undefined ? undefined : response.decode(message),
    }
  }

  /** As {@link call}, for what must not fail. */
  async must<Name extends MethodName>(
    name: Name,
    fields: Partial<RequestOf<Name>> = {},
  ): Promise<ResponseOf<Name>> {
    const { code, text, response } = await this.call(name, fields)
    if (code !== 0) throw new Error(`${name}: ${code} ${text}`)
    // A call that succeeds has an answer.
    return response!
  }

  close(): void {
    this.raw.close()
  }
}
