/**
 * The Auth service. Passwords are hashed here, before anything enters the log; texts and order of checks are etcd's.
 */
import type { AuthOperation } from '../node/node-surface.ts'
import type { StoreNode } from '../node/store-node.ts'
import {
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
  type ResponseHeader,
} from '../proto/gen/rpc.ts'
import { frameOf, unaryMethod, type RequestCodec, type ResponseCodec } from './method.ts'
import type { ResponseHeaders } from './response-header.ts'
import type { CallContext, RpcMethod } from './rpc-call.ts'

/** What the methods share. */
interface Service {
  readonly node: StoreNode
  readonly header: () => ResponseHeader
}

/** The methods of `etcdserverpb.Auth`. */
export function authService(
  node: StoreNode,
  headers: ResponseHeaders,
): ReadonlyMap<string, RpcMethod> {
  const service = { node, header: () => headers.message(node.currentRevision) }
  return new Map<string, RpcMethod>([
    ...switchMethods(service),
    ...userMethods(service),
    ...roleMethods(service),
  ])
}

/** A method that proposes one operation and has nothing to tell but its header. */
function changeMethod<Request>(
  { node, header }: Service,
  codec: RequestCodec<Request>,
  response: ResponseCodec<{ header: ResponseHeader | undefined }>,
  operationOf: (request: Request) => AuthOperation | Promise<AuthOperation>,
): RpcMethod {
  return unaryMethod(codec, async (request, call) => {
    await node.auth.change(await operationOf(request), call.requester)
    return frameOf(response, { header: header() })
  })
}

function switchMethods(service: Service): [string, RpcMethod][] {
  const { node, header } = service
  return [
    [
      'AuthEnable',
      changeMethod(service, AuthEnableRequest, AuthEnableResponse, (request) => ({
        kind: 'enable',
        request,
      })),
    ],
    [
      'AuthDisable',
      changeMethod(service, AuthDisableRequest, AuthDisableResponse, (request) => ({
        kind: 'disable',
        request,
      })),
    ],
    [
      'AuthStatus',
      unaryMethod(AuthStatusRequest, async () => {
        const store = await node.auth.read()
        return frameOf(AuthStatusResponse, {
          header: header(),
          enabled: store.isEnabled,
          authRevision: BigInt(store.revision),
        })
      }),
    ],
    [
      'Authenticate',
      unaryMethod(AuthenticateRequest, async ({ name, password }) => {
        const token = await node.auth.authenticate(name, password)
        return frameOf(AuthenticateResponse, { header: header(), token })
      }),
    ],
  ]
}

function userMethods(service: Service): [string, RpcMethod][] {
  const { node, header } = service
  return [
    [
      'UserAdd',
      changeMethod(service, AuthUserAddRequest, AuthUserAddResponse, async (request) => {
        const { name, options } = request
        const hashedPassword =
          options?.noPassword === true ? '' : await node.auth.hashPassword(request.password)
        return { kind: 'userAdd', request: { name, options, password: '', hashedPassword } }
      }),
    ],
    [
      'UserChangePassword',
      changeMethod(
        service,
        AuthUserChangePasswordRequest,
        AuthUserChangePasswordResponse,
        async ({ name, password }) => ({
          kind: 'userChangePassword',
          request: { name, password: '', hashedPassword: await node.auth.hashPassword(password) },
        }),
      ),
    ],
    [
      'UserDelete',
      changeMethod(service, AuthUserDeleteRequest, AuthUserDeleteResponse, (request) => ({
        kind: 'userDelete',
        request,
      })),
    ],
    [
      'UserGrantRole',
      changeMethod(service, AuthUserGrantRoleRequest, AuthUserGrantRoleResponse, (request) => ({
        kind: 'userGrantRole',
        request,
      })),
    ],
    [
      'UserRevokeRole',
      changeMethod(service, AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse, (request) => ({
        kind: 'userRevokeRole',
        request,
      })),
    ],
    [
      'UserGet',
      unaryMethod(AuthUserGetRequest, async ({ name }, call) => {
        const store = await node.auth.read()
        checkSelf(service, call, name)
        const { roles } = store.getUser(name)
        return frameOf(AuthUserGetResponse, { header: header(), roles: [...roles] })
      }),
    ],
    [
      'UserList',
      unaryMethod(AuthUserListRequest, async (_request, call) => {
        const store = await node.auth.read()
        node.auth.checkRoot(call.requester)
        return frameOf(AuthUserListResponse, { header: header(), users: [...store.listUsers()] })
      }),
    ],
  ]
}

function roleMethods(service: Service): [string, RpcMethod][] {
  const { node, header } = service
  return [
    [
      'RoleAdd',
      changeMethod(service, AuthRoleAddRequest, AuthRoleAddResponse, (request) => ({
        kind: 'roleAdd',
        request,
      })),
    ],
    [
      'RoleDelete',
      changeMethod(service, AuthRoleDeleteRequest, AuthRoleDeleteResponse, (request) => ({
        kind: 'roleDelete',
        request,
      })),
    ],
    [
      'RoleGrantPermission',
      changeMethod(
        service,
        AuthRoleGrantPermissionRequest,
        AuthRoleGrantPermissionResponse,
        (request) => ({ kind: 'roleGrantPermission', request }),
      ),
    ],
    [
      'RoleRevokePermission',
      changeMethod(
        service,
        AuthRoleRevokePermissionRequest,
        AuthRoleRevokePermissionResponse,
        (request) => ({ kind: 'roleRevokePermission', request }),
      ),
    ],
    [
      'RoleGet',
      unaryMethod(AuthRoleGetRequest, async ({ role }, call) => {
        const store = await node.auth.read()
        checkHolder(service, call, role)
        const { permissions } = store.getRole(role)
        return frameOf(AuthRoleGetResponse, {
          header: header(),
          perm: permissions.map(({ type, key, rangeEnd }) => ({
            permType: type as 0 | 1 | 2,
            key,
            rangeEnd,
          })),
        })
      }),
    ],
    [
      'RoleList',
      unaryMethod(AuthRoleListRequest, async (_request, call) => {
        const store = await node.auth.read()
        node.auth.checkRoot(call.requester)
        return frameOf(AuthRoleListResponse, { header: header(), roles: [...store.listRoles()] })
      }),
    ],
  ]
}

/** Everybody may look at himself. */
function checkSelf({ node }: Service, call: CallContext, name: string): void {
  if (call.requester?.username !== name) node.auth.checkRoot(call.requester)
}

/** Everybody may look at the roles he has. */
function checkHolder({ node }: Service, call: CallContext, role: string): void {
  if (!node.auth.hasRole(call.requester, role)) node.auth.checkRoot(call.requester)
}
