import { beforeEach, describe, expect, test } from 'vitest'
import type { Backend, BackendBatch } from '../../../../src/core/backend/backend.ts'
import { MemoryBackendFactory } from '../../../../src/core/backend/memory-backend.ts'
import { hexOf } from '../../../../src/core/base/bytes.ts'
import { AuthStore, type AuthInfo } from '../../../../src/core/auth/auth-store.ts'
import { encodeUser } from '../../../../src/core/auth/auth-record.ts'
import { permissionTypes } from '../../../../src/core/auth/permission.ts'

const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const hash = ascii('$2a$10$hash')
const user = (name: string) => ({ name, passwordHash: hash, hasNoPassword: false })
const range = (key: string, rangeEnd = '') => ({ key: ascii(key), rangeEnd: ascii(rangeEnd) })

let backend: Backend
let store: AuthStore

beforeEach(async () => {
  backend = await new MemoryBackendFactory().open('auth')
  store = AuthStore.open(backend)
})

function change(work: (batch: BackendBatch) => void): void {
  const batch = backend.beginBatch()
  try {
    work(batch)
  } finally {
    backend.commitBatch(batch)
  }
}

function enable(): void {
  change((batch) => {
    store.addUser(batch, user('root'))
    store.grantRole(batch, 'root', 'root')
    store.enable(batch)
  })
}

/** `reader` may read [a, c) by two roles, and write the key b. */
function addReader(): void {
  change((batch) => {
    store.addUser(batch, user('reader'))
    for (const role of ['one', 'two']) {
      store.addRole(batch, role)
      store.grantRole(batch, 'reader', role)
    }
    const read = permissionTypes.read
    store.grantPermission(batch, 'one', { type: read, ...range('a', 'b') })
    store.grantPermission(batch, 'two', { type: read, ...range('b', 'c') })
    store.grantPermission(batch, 'two', { type: permissionTypes.readWrite, ...range('b') })
  })
}

const asUser = (username: string): AuthInfo => ({ username, revision: store.revision })

function refusal(work: () => void): string {
  try {
    work()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return 'allowed'
}

describe('the switch', () => {
  test('needs a root user with the root role', () => {
    expect(
      refusal(() => {
        change((batch) => {
          store.enable(batch)
        })
      }),
    ).toContain('root user does not exist')
    change((batch) => {
      store.addUser(batch, user('root'))
    })
    expect(
      refusal(() => {
        change((batch) => {
          store.enable(batch)
        })
      }),
    ).toContain('root user does not have root role')
    change((batch) => {
      store.grantRole(batch, 'root', 'root')
    })
    const before = store.revision
    change((batch) => {
      store.enable(batch)
    })
    expect(store.isEnabled).toBe(true)
    expect(store.revision).toBe(before)
  })

  test('turning it off moves the revision, once', () => {
    enable()
    const before = store.revision
    change((batch) => {
      expect(store.disable(batch)).toBe(true)
      expect(store.disable(batch)).toBe(false)
    })
    expect(store.revision).toBe(before + 1)
  })

  test('root cannot be weakened while it is on', () => {
    enable()
    change((batch) => {
      store.addRole(batch, 'root')
    })
    const attempts: ((batch: BackendBatch) => void)[] = [
      (batch) => {
        store.deleteUser(batch, 'root')
      },
      (batch) => {
        store.revokeRole(batch, 'root', 'root')
      },
      (batch) => {
        store.deleteRole(batch, 'root')
      },
    ]
    for (const attempt of attempts) {
      expect(
        refusal(() => {
          change(attempt)
        }),
      ).toBe('etcdserver: invalid auth management')
    }
  })
})

describe('changes', () => {
  test('every one moves the revision, what changes nothing does not', () => {
    expect(store.revision).toBe(1)
    addReader()
    expect(store.revision).toBe(1 + 8)
    change((batch) => {
      store.grantRole(batch, 'reader', 'one')
    })
    expect(store.revision).toBe(9)
  })

  test('refuse what is there, what is not, and empty names', () => {
    addReader()
    const cases: [string, (batch: BackendBatch) => void][] = [
      [
        'user name is empty',
        (batch) => {
          store.addUser(batch, user(''))
        },
      ],
      [
        'user name already exists',
        (batch) => {
          store.addUser(batch, user('reader'))
        },
      ],
      [
        'user name not found',
        (batch) => {
          store.deleteUser(batch, 'nobody')
        },
      ],
      [
        'user name not found',
        (batch) => {
          store.grantRole(batch, 'nobody', 'one')
        },
      ],
      [
        'role name not found',
        (batch) => {
          store.grantRole(batch, 'reader', 'none')
        },
      ],
      [
        'role is not granted to the user',
        (batch) => {
          store.revokeRole(batch, 'reader', 'none')
        },
      ],
      [
        'role name is empty',
        (batch) => {
          store.addRole(batch, '')
        },
      ],
      [
        'role name already exists',
        (batch) => {
          store.addRole(batch, 'one')
        },
      ],
      [
        'role name not found',
        (batch) => {
          store.deleteRole(batch, 'none')
        },
      ],
      [
        'invalid auth management',
        (batch) => {
          store.grantPermission(batch, 'none', { type: 0, ...range('b', 'a') })
        },
      ],
      [
        'role name not found',
        (batch) => {
          store.grantPermission(batch, 'none', { type: 0, ...range('a') })
        },
      ],
      [
        'permission is not granted to the role',
        (batch) => {
          store.revokePermission(batch, 'one', range('a'))
        },
      ],
    ]
    const before = store.revision
    for (const [text, attempt] of cases) {
      expect(
        refusal(() => {
          change(attempt)
        }),
      ).toBe(`etcdserver: ${text}`)
    }
    expect(store.revision).toBe(before)
  })

  test('the same range is granted once, with the newest type', () => {
    addReader()
    change((batch) => {
      store.grantPermission(batch, 'one', { type: permissionTypes.write, ...range('a', 'b') })
    })
    expect(store.getRole('one').permissions.map(({ type }) => type)).toEqual([
      permissionTypes.write,
    ])
  })

  test('a deleted role is taken from its users', () => {
    addReader()
    change((batch) => {
      store.deleteRole(batch, 'one')
    })
    expect(store.getUser('reader').roles).toEqual(['two'])
  })

  test('a user without a password stays without one', () => {
    change((batch) => {
      store.addUser(batch, { name: 'cert', passwordHash: new Uint8Array(0), hasNoPassword: true })
      store.changePassword(batch, 'cert', hash)
    })
    expect(store.getUser('cert').passwordHash).toHaveLength(0)
  })

  test('everything survives a restart', () => {
    enable()
    addReader()
    const reopened = AuthStore.open(backend)
    expect(reopened.isEnabled).toBe(true)
    expect(reopened.revision).toBe(store.revision)
    expect(reopened.listUsers()).toEqual(['reader', 'root'])
    expect(reopened.getUser('reader')).toEqual(store.getUser('reader'))
    expect(reopened.getRole('two')).toEqual(store.getRole('two'))
  })

  test('a user is stored byte for byte as etcd does', () => {
    const record = encodeUser({ ...user('u'), passwordHash: ascii('h'), roles: ['r'] })
    expect(hexOf(record)).toBe('0a0175' + '120168' + '1a0172' + '2200')
  })
})

describe('checks', () => {
  test('allow everything while they are off', () => {
    store.checkRange({ username: '', revision: 0 }, 'write', range('a'))
    store.checkRoot({ username: '', revision: 0 })
  })

  test('add up the roles of a user', () => {
    enable()
    addReader()
    const reader = asUser('reader')
    expect(
      refusal(() => {
        store.checkRange(reader, 'read', range('a', 'c'))
      }),
    ).toBe('allowed')
    expect(
      refusal(() => {
        store.checkRange(reader, 'write', range('b'))
      }),
    ).toBe('allowed')
    for (const denied of [range('a', 'd'), range('c'), range('a', '\0')]) {
      expect(
        refusal(() => {
          store.checkRange(reader, 'read', denied)
        }),
      ).toBe('etcdserver: permission denied')
    }
    expect(
      refusal(() => {
        store.checkRange(reader, 'write', range('a'))
      }),
    ).toContain('denied')
    expect(
      refusal(() => {
        store.checkRange(asUser('root'), 'write', range('a', '\0'))
      }),
    ).toBe('allowed')
  })

  test('see a change at once', () => {
    enable()
    addReader()
    store.checkRange(asUser('reader'), 'read', range('a'))
    change((batch) => {
      store.revokeRole(batch, 'reader', 'one')
    })
    expect(
      refusal(() => {
        store.checkRange(asUser('reader'), 'read', range('a'))
      }),
    ).toContain('denied')
  })

  test('tell who is missing from who is late and from who is gone', () => {
    enable()
    addReader()
    const check = (info: AuthInfo): string =>
      refusal(() => {
        store.checkRange(info, 'read', range('a'))
      })
    expect(check({ username: '', revision: 0 })).toBe('etcdserver: user name is empty')
    expect(check({ username: 'reader', revision: store.revision - 1 })).toBe(
      'etcdserver: revision of auth store is old',
    )
    expect(check(asUser('nobody'))).toBe('etcdserver: permission denied')
  })

  test('keep administration to root', () => {
    enable()
    addReader()
    const check = (username: string): string =>
      refusal(() => {
        store.checkRoot(asUser(username))
      })
    expect(check('')).toBe('etcdserver: user name is empty')
    expect(check('nobody')).toBe('etcdserver: user name not found')
    expect(check('reader')).toBe('etcdserver: permission denied')
    expect(check('root')).toBe('allowed')
  })
})
