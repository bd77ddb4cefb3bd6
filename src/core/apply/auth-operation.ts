/**
 * Changes of users and roles as they stand in the log: which field of etcd's `InternalRaftRequest` holds which request.
 */
import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import {
  InternalAuthenticateRequest,
  type InternalRaftRequest,
} from '../proto/gen/raft_internal.ts'
import {
  AuthDisableRequest,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGetRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleListRequest,
  AuthRoleRevokePermissionRequest,
  AuthStatusRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGetRequest,
  AuthUserGrantRoleRequest,
  AuthUserListRequest,
  AuthUserRevokeRoleRequest,
} from '../proto/gen/rpc.ts'

interface Codec<Request> {
  encode(request: Request): BinaryWriter
}

interface Form<Request> {
  readonly field: number
  readonly codec: Codec<Request>
  find(message: InternalRaftRequest): Request | undefined
}

function form<Request>(
  field: number,
  codec: Codec<Request>,
  find: (message: InternalRaftRequest) => Request | undefined,
): Form<Request> {
  return { field, codec, find }
}

/** Every operation with its field. The questions are only ever asked by members of other versions. */
const forms = {
  enable: form(1000, AuthEnableRequest, (message) => message.authEnable),
  disable: form(1011, AuthDisableRequest, (message) => message.authDisable),
  authenticate: form(1012, InternalAuthenticateRequest, (message) => message.authenticate),
  status: form(1013, AuthStatusRequest, (message) => message.authStatus),
  userAdd: form(1100, AuthUserAddRequest, (message) => message.authUserAdd),
  userDelete: form(1101, AuthUserDeleteRequest, (message) => message.authUserDelete),
  userGet: form(1102, AuthUserGetRequest, (message) => message.authUserGet),
  userChangePassword: form(
    1103,
    AuthUserChangePasswordRequest,
    (message) => message.authUserChangePassword,
  ),
  userGrantRole: form(1104, AuthUserGrantRoleRequest, (message) => message.authUserGrantRole),
  userRevokeRole: form(1105, AuthUserRevokeRoleRequest, (message) => message.authUserRevokeRole),
  userList: form(1106, AuthUserListRequest, (message) => message.authUserList),
  roleList: form(1107, AuthRoleListRequest, (message) => message.authRoleList),
  roleAdd: form(1200, AuthRoleAddRequest, (message) => message.authRoleAdd),
  roleDelete: form(1201, AuthRoleDeleteRequest, (message) => message.authRoleDelete),
  roleGet: form(1202, AuthRoleGetRequest, (message) => message.authRoleGet),
  roleGrantPermission: form(
    1203,
    AuthRoleGrantPermissionRequest,
    (message) => message.authRoleGrantPermission,
  ),
  roleRevokePermission: form(
    1204,
    AuthRoleRevokePermissionRequest,
    (message) => message.authRoleRevokePermission,
  ),
} as const

type Forms = typeof forms
export type AuthOperationKind = keyof Forms
type RequestOf<Kind extends AuthOperationKind> = NonNullable<ReturnType<Forms[Kind]['find']>>

/** One change or question, told apart by `kind`. */
export type AuthOperation = {
  readonly [Kind in AuthOperationKind]: { readonly kind: Kind; readonly request: RequestOf<Kind> }
}[AuthOperationKind]

const kinds = Object.keys(forms) as AuthOperationKind[]

/** Field number in `InternalRaftRequest`. */
export function fieldOfAuthOperation(operation: AuthOperation): number {
  return forms[operation.kind].field
}

/** The bytes of the request itself. */
export function encodeAuthOperation(operation: AuthOperation): Uint8Array {
  const { codec } = forms[operation.kind] as Form<unknown>
  return codec.encode(operation.request).finish()
}

/** The operation in a decoded entry; undefined when it holds something else. */
export function findAuthOperation(message: InternalRaftRequest): AuthOperation | undefined {
  for (const kind of kinds) {
    const request = forms[kind].find(message)
    if (request !== undefined) return { kind, request } as AuthOperation
  }
  return undefined
}
