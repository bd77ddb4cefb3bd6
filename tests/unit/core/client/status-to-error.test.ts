import { Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import {
  callFailureOf,
  failureOfCancelReason,
} from '../../../../src/core/client/status-to-error.ts'
import {
  errorTable,
  grpcStatusNumbers,
  type StoreErrorCode,
} from '../../../../src/core/errors/error-table.ts'

/** The library's numbers by value; the error table has the same ones as plain numbers. */
const statuses = new Map<number, status>(
  Object.values(status)
    .filter((value) => typeof value !== 'string')
    .map((value) => [value, value]),
)

function failed(code: number, details: string): ServiceError {
  const known = statuses.get(code)
  if (known === undefined) throw new Error(`no status has the number ${String(code)}`)
  return Object.assign(new Error(details), { code: known, details, metadata: new Metadata() })
}

const endpoint = 'http://a:2379'
/** Two codes share one text with another, because the protocol does; the first one is found. */
const codes = (Object.keys(errorTable) as StoreErrorCode[]).filter(
  (code) => code !== 'unreachable' && code !== 'unrecognized',
)

describe('callFailureOf', () => {
  test.each(codes)('%s is found by its text, with the status it travels with', (code) => {
    const { text, status: name } = errorTable[code]
    const failure = callFailureOf(failed(grpcStatusNumbers[name], text), { url: endpoint })
    expect(failure.error.message).toBe(text)
    expect(failure.error.details).toMatchObject({ endpoint, grpcStatus: name, serverText: text })
    expect(failure.isTransportFailure).toBe(false)
  })

  test('a broken connection is the transport, and what was sent may have taken effect', () => {
    const failure = callFailureOf(failed(status.UNAVAILABLE, 'Connection dropped'), {
      url: endpoint,
    })
    expect(failure.error.code).toBe('unreachable')
    expect(failure).toMatchObject({ isTransportFailure: true, isWithoutEffect: false })
  })

  test.each([
    'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1',
    'Name resolution failed for target dns:nowhere:2379',
    'Stream refused by server',
  ])('after "%s" nothing was sent', (text) => {
    const failure = callFailureOf(failed(status.UNAVAILABLE, text), { url: endpoint })
    expect(failure).toMatchObject({ isTransportFailure: true, isWithoutEffect: true })
  })

  test.each<[StoreErrorCode, boolean]>([
    ['noLeader', true],
    ['compacted', true],
    ['noSpace', true],
    ['tooManyRequests', true],
    ['timeout', false],
    ['timeoutDueToLeaderFail', false],
    ['leaderChanged', false],
    ['stopped', false],
  ])('a write that ends with %s is surely without effect: %s', (code, isWithoutEffect) => {
    const { text, status: name } = errorTable[code]
    const failure = callFailureOf(failed(grpcStatusNumbers[name], text), { url: endpoint })
    expect(failure.isWithoutEffect).toBe(isWithoutEffect)
  })

  test('a request above the size of a message is too large, and an answer above it is not', () => {
    const texts = [
      'grpc: received message larger than max (2500070 vs. 2097152)',
      'Received message larger than max (5 vs. 4)',
    ]
    const codesOf = texts.map(
      (text) =>
        callFailureOf(failed(status.RESOURCE_EXHAUSTED, text), { url: endpoint }).error.code,
    )
    expect(codesOf).toEqual(['requestTooLarge', 'unrecognized'])
  })

  test('a text that the table does not know is kept', () => {
    const failure = callFailureOf(failed(status.UNKNOWN, 'something of its own'), { url: endpoint })
    expect(failure.error.code).toBe('unrecognized')
    expect(failure.error.details['serverText']).toBe('something of its own')
  })
})

test('a refusal says who may not', () => {
  const place = { url: endpoint, user: 'alice' }
  const denied = failed(status.PERMISSION_DENIED, errorTable.permissionDenied.text)
  expect(callFailureOf(denied, place).error.details['user']).toBe('alice')
  const reason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied'
  expect(failureOfCancelReason(reason, place).error.details['user']).toBe('alice')
  const lost = failed(status.UNAVAILABLE, 'Connection dropped')
  expect(callFailureOf(lost, place).error.details).not.toHaveProperty('user')
})

describe('failureOfCancelReason', () => {
  test.each<[string, StoreErrorCode]>([
    ['rpc error: code = PermissionDenied desc = etcdserver: permission denied', 'permissionDenied'],
    ['etcdserver: mvcc: required revision has been compacted', 'compacted'],
    ['mvcc: watcher range is empty', 'unrecognized'],
  ])('%s becomes %s', (reason, code) => {
    expect(failureOfCancelReason(reason, { url: endpoint }).error.code).toBe(code)
  })
})
