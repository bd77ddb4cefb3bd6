import { describe, expect, test } from 'vitest'
import type { TxnRequest } from '../../../../src/core/proto/gen/rpc.ts'
import {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
} from '../../../../src/core/proto/gen/rpc.ts'
import { checkPut, checkRange, checkTxn } from '../../../../src/core/rpc/request-validation.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const put = (key: string, fields: Partial<PutRequest> = {}): RequestOp => ({
  request: { $case: 'requestPut', value: PutRequest.create({ key: bytes(key), ...fields }) },
})
const remove = (key: string, rangeEnd = ''): RequestOp => ({
  request: {
    $case: 'requestDeleteRange',
    value: DeleteRangeRequest.create({ key: bytes(key), rangeEnd: bytes(rangeEnd) }),
  },
})
const range = (key: string): RequestOp => ({
  request: { $case: 'requestRange', value: RangeRequest.create({ key: bytes(key) }) },
})
const nested = (success: RequestOp[], failure: RequestOp[] = []): RequestOp => ({
  request: { $case: 'requestTxn', value: { compare: [], success, failure } },
})
const txn = (success: RequestOp[], failure: RequestOp[] = []): TxnRequest => ({
  compare: [],
  success,
  failure,
})
const repeated = <T>(count: number, make: (position: number) => T): T[] =>
  Array.from({ length: count }, (_, position) => make(position))

describe('checkRange', () => {
  test('an empty key is told before a wrong sort', () => {
    expect(() => {
      checkRange(RangeRequest.create({ sortOrder: 7 as never }))
    }).toThrow('etcdserver: key is not provided')
  })

  test.each([{ sortOrder: 3 }, { sortOrder: -1 }, { sortTarget: 5 }, { sortTarget: -1 }])(
    'an unknown sort is refused: %j',
    (fields) => {
      expect(() => {
        checkRange(RangeRequest.create({ key: bytes('k'), ...(fields as object) }))
      }).toThrow('etcdserver: invalid sort option')
    },
  )
})

describe('checkPut', () => {
  test('a value beside ignore_value is refused', () => {
    expect(() => {
      checkPut(PutRequest.create({ key: bytes('k'), value: bytes('v'), ignoreValue: true }))
    }).toThrow('etcdserver: value is provided')
  })

  test('a lease beside ignore_lease is refused', () => {
    expect(() => {
      checkPut(PutRequest.create({ key: bytes('k'), lease: -1n, ignoreLease: true }))
    }).toThrow('etcdserver: lease is provided')
  })
})

describe('checkTxn', () => {
  const check =
    (request: TxnRequest): (() => void) =>
    () => {
      checkTxn(request, 128)
    }
  const duplicate = 'etcdserver: duplicate key given in txn request'
  const tooMany = 'etcdserver: too many operations in txn request'

  test('128 operations in each list are accepted, 129 in any are not', () => {
    const keys = (count: number): RequestOp[] => repeated(count, (n) => put(`k${n}`))
    const compares = (count: number): Compare[] =>
      repeated(count, () => Compare.create({ key: bytes('k') }))
    expect(check({ compare: compares(128), success: keys(128), failure: keys(128) })).not.toThrow()
    expect(check({ compare: compares(129), success: [], failure: [] })).toThrow(tooMany)
    expect(check(txn(keys(129)))).toThrow(tooMany)
    expect(check(txn([], keys(129)))).toThrow(tooMany)
  })

  test('each level takes its longest list off the allowance below it', () => {
    const wide = repeated(127, (n) => range(`k${n}`))
    expect(check(txn([...wide, nested([])]))).not.toThrow()
    expect(check(txn([...wide, nested([put('a')])]))).toThrow(tooMany)
    expect(check(txn([nested(repeated(127, (n) => put(`k${n}`)))]))).not.toThrow()
    expect(check(txn([nested(repeated(128, (n) => put(`k${n}`)))]))).toThrow(tooMany)
  })

  test('an empty key is refused in a compare, in either branch, and in a nested transaction', () => {
    const text = 'etcdserver: key is not provided'
    expect(check({ compare: [Compare.create()], success: [], failure: [] })).toThrow(text)
    expect(check(txn([put('')]))).toThrow(text)
    expect(check(txn([], [remove('')]))).toThrow(text)
    expect(check(txn([nested([], [range('')])]))).toThrow(text)
  })

  test('an operation with nothing in it is refused', () => {
    expect(check(txn([{ request: undefined }]))).toThrow('etcdserver: key not found')
  })

  test.each([
    ['two puts on one key', [put('a'), put('a')]],
    ['a put and a delete of its key', [put('a'), remove('a')]],
    ['a put inside a deleted range', [remove('a', 'c'), put('b')]],
    ['a nested put on a key of its parent', [nested([put('a')]), put('a')]],
    ['a nested put inside a range its parent deletes', [nested([put('b')]), remove('a', 'c')]],
    ['puts in two nested transactions', [nested([put('a')]), nested([], [put('a')])]],
    ['a put in a range that a nested transaction deletes', [nested([remove('a', 'c')]), put('b')]],
    ['a nested delete before a nested put', [nested([remove('a')]), nested([put('a')])]],
  ])('a key written twice is refused: %s', (_name, operations) => {
    expect(check(txn(operations))).toThrow(duplicate)
    expect(check(txn([], operations))).toThrow(duplicate)
  })

  test.each([
    ['overlapping deletes', [remove('a', 'c'), remove('b', 'd')]],
    ['then and else of one nested transaction', [nested([put('a')], [put('a')])]],
    ['a put at the end of a deleted range', [remove('a', 'b'), put('b')]],
    ['a delete without an upper bound', [remove('a', '\0'), put('b')]],
    ['a nested put before a nested delete', [nested([put('a')]), nested([remove('a')])]],
    ['reads of a written key', [put('a'), range('a')]],
  ])('is accepted: %s', (_name, operations) => {
    expect(check(txn(operations))).not.toThrow()
  })

  test('the two branches may write the same key', () => {
    expect(check(txn([put('a')], [put('a')]))).not.toThrow()
  })
})
