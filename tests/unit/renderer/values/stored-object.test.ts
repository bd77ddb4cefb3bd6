import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { decodeStoredObject } from '../../../../src/renderer/values/kubernetes/stored-object.ts'

type Field = readonly [number: number, value: string | number | bigint | boolean | Uint8Array]

/** A message of the wire format, written field by field as the format's own description says. */
function message(...fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const [number, value] of fields) {
    if (typeof value === 'string') writer.tag(number, WireType.LengthDelimited).string(value)
    else if (value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value)
    else if (typeof value === 'boolean') writer.tag(number, WireType.Varint).bool(value)
    else writer.tag(number, WireType.Varint).int64(value)
  }
  return writer.finish()
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function stored(apiVersion: string, kind: string, raw: Uint8Array): Uint8Array {
  const envelope = message([1, message([1, apiVersion], [2, kind])], [2, raw], [3, ''], [4, ''])
  return Uint8Array.of(0x6b, 0x38, 0x73, 0, ...envelope)
}

function decoded(value: Uint8Array): unknown {
  const { yaml, obstacle, reason } = decodeStoredObject(value)
  expect([obstacle, reason]).toEqual([undefined, undefined])
  return parse(yaml, { version: '1.1', intAsBigInt: false })
}

const time = message([1, 1_767_225_600], [2, 0])
const metadata = message(
  [1, 'web'],
  [2, ''],
  [3, 'shop'],
  [4, ''],
  [5, 'uid-1'],
  [6, ''],
  [7, 3],
  [8, time],
  [11, message([1, 'b'], [2, '2'])],
  [11, message([1, 'a'], [2, '1'])],
  [
    17,
    message(
      [1, 'kubectl'],
      [2, 'Update'],
      [3, 'v1'],
      [4, time],
      [6, 'FieldsV1'],
      [7, message([1, bytes('{"f:spec":{}}')])],
      [8, ''],
    ),
  ],
)
const shownMetadata = {
  name: 'web',
  namespace: 'shop',
  uid: 'uid-1',
  generation: 3,
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels: { a: '1', b: '2' },
  managedFields: [
    {
      manager: 'kubectl',
      operation: 'Update',
      apiVersion: 'v1',
      time: '2026-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': {} },
    },
  ],
}

describe('stored objects', () => {
  test('a pod: merged objects, quantities, ports that are numbers or names', () => {
    const quantities = message([1, message([1, 'cpu'], [2, message([1, '250m'])])])
    const probe = message(
      [1, message([2, message([1, '/ok'], [2, message([1, 1], [2, 0], [3, 'http'])], [3, ''])])],
      [2, 5],
      [3, 0],
    )
    const container = message([1, 'main'], [2, 'web:1'], [8, quantities], [10, probe])
    const volume = message([1, 'data'], [2, message([2, message([1, ''])])])
    const spec = message([1, volume], [2, container], [3, 'Always'], [4, 30], [11, false])
    expect(decoded(stored('v1', 'Pod', message([1, metadata], [2, spec])))).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: shownMetadata,
      spec: {
        volumes: [{ name: 'data', emptyDir: {} }],
        containers: [
          {
            name: 'main',
            image: 'web:1',
            resources: { limits: { cpu: '250m' } },
            livenessProbe: { httpGet: { path: '/ok', port: 'http' }, initialDelaySeconds: 5 },
          },
        ],
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
      },
    })
  })

  test('a secret shows its bytes as base64, a config map its texts', () => {
    const secret = message(
      [1, metadata],
      [2, message([1, 'key'], [2, Uint8Array.of(0, 255)])],
      [3, 'Opaque'],
    )
    expect(decoded(stored('v1', 'Secret', secret))).toMatchObject({
      data: { key: 'AP8=' },
      type: 'Opaque',
    })
    const config = message([1, metadata], [2, message([1, 'a.conf'], [2, 'x: 1\n# words\n'])])
    expect(decoded(stored('v1', 'ConfigMap', config))).toMatchObject({
      data: { 'a.conf': 'x: 1\n# words\n' },
    })
  })

  test('a lease shows its times to the microsecond', () => {
    const micro = message([1, 1_767_225_600], [2, 123_456_000])
    const lease = message([1, metadata], [2, message([1, 'holder'], [2, 15], [4, micro])])
    expect(decoded(stored('coordination.k8s.io/v1', 'Lease', lease))).toMatchObject({
      spec: {
        holderIdentity: 'holder',
        leaseDurationSeconds: 15,
        renewTime: '2026-01-01T00:00:00.123456Z',
      },
    })
  })

  test('integers that JavaScript cannot hold exactly are not rounded', () => {
    const large = 9_007_199_254_740_993n
    const { yaml } = decodeStoredObject(
      stored('apps/v1', 'Deployment', message([1, message([7, large])])),
    )
    expect(yaml).toContain(`generation: ${String(large)}`)
  })

  test('fields that the table does not know stay, under their number', () => {
    const value = stored('v1', 'ConfigMap', message([1, metadata], [99, 'new'], [98, 7]))
    expect(decoded(value)).toMatchObject({
      'unknown field 98': 7,
      'unknown field 99, base64': 'bmV3',
    })
  })

  test('a kind that is not known shows its fields by number', () => {
    const raw = message([1, message([1, 'name'])], [2, 5], [3, Uint8Array.of(0xff, 0xff, 0xff)])
    const found = decodeStoredObject(stored('example.test/v1', 'Thing', raw))
    expect(found).toMatchObject({
      apiVersion: 'example.test/v1',
      kind: 'Thing',
      obstacle: 'unknownKind',
    })
    expect(parse(found.yaml)).toMatchObject({
      'field 1': { 'field 1': 'name' },
      'field 2': 5,
      'field 3': { base64: '////' },
    })
  })

  test('another encoding of the body is said, not guessed', () => {
    const envelope = message(
      [1, message([1, 'v1'], [2, 'Pod'])],
      [2, '{"kind":"Pod"}'],
      [4, 'application/json'],
    )
    const found = decodeStoredObject(Uint8Array.of(0x6b, 0x38, 0x73, 0, ...envelope))
    expect(found.obstacle).toBe('otherEncoding')
    expect(found.yaml).toContain('application/json')
  })
})

describe('damaged objects', () => {
  const whole = stored('v1', 'Pod', message([1, metadata], [2, message([3, 'Always'])]))

  test('cut anywhere, the answer says so or shows what is whole', () => {
    for (let length = 4; length < whole.length; length++) {
      const found = decodeStoredObject(whole.subarray(0, length))
      if (found.obstacle === 'damaged') expect(found.reason).toMatch(/byte|field/u)
    }
    expect(decodeStoredObject(whole.subarray(0, whole.length - 20)).obstacle).toBe('damaged')
  })

  test('any bytes at all have an answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(whole.length - 1), (noise, at) => {
        decodeStoredObject(Uint8Array.of(0x6b, 0x38, 0x73, 0, ...noise))
        const changed = Uint8Array.from(whole)
        changed.set(noise.subarray(0, Math.max(0, whole.length - Math.max(at, 4))), Math.max(at, 4))
        expect(typeof decodeStoredObject(changed).yaml).toBe('string')
      }),
      { numRuns: 2_000 },
    )
  })
})
