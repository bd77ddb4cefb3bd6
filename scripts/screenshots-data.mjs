/**
 * The data that the pictures of the guide show: a Kubernetes-like tree, an application's settings with a past, leases,
 * locks, and deletions. The same at every run, so that a picture changes only when the app does.
 */

const encoder = new TextEncoder()

/** A protobuf field with a length: text, bytes, or a message made of fields. */
function field(number, content) {
  const bytes = typeof content === 'string' ? encoder.encode(content) : content
  const header = [(number << 3) | 2]
  let { length } = bytes
  while (length > 127) {
    header.push((length & 127) | 128)
    length >>>= 7
  }
  return Uint8Array.of(...header, length, ...bytes)
}

const message = (...fields) => Uint8Array.from(fields.flatMap((one) => [...one]))
const label = (key, value) => field(11, message(field(1, key), field(2, value)))

/** A stored Kubernetes object with its metadata. */
function storedObject({ kind, apiVersion = 'v1', namespace, name, labels = {}, rest = [] }) {
  const metadata = message(
    field(1, name),
    field(3, namespace),
    field(5, `6f1d0c52-8a6e-4a2b-9d3c-${name.length.toString(16).padStart(12, '0')}`),
    ...Object.entries(labels).map(([key, value]) => label(key, value)),
  )
  const raw = message(field(1, metadata), ...rest)
  const typeMeta = message(field(1, apiVersion), field(2, kind))
  return message(encoder.encode('k8s\0'), message(field(1, typeMeta), field(2, raw)))
}

const json = (value) => encoder.encode(JSON.stringify(value, undefined, 2))

const flags = ['apple-pay', 'express-pay', 'fraud-v1', 'invoice-b2b', 'promo-spring', 'wallet']
const laterFlags = ['gift-cards', 'new-address-form']
const segments = ['eu-west', 'eu-north', 'returning-customers', 'beta-testers']

function flagValue(flag, version) {
  return json({
    flag,
    enabled: version % 3 !== 0,
    rollout: {
      strategy: 'percentage',
      percent: Math.min(100, 5 + version * 10),
      salt: 'c1f7a0',
      segments: segments.slice(0, 1 + (version % segments.length)),
    },
    limits: { maxAmount: 15_000 + 2_500 * (version % 5), currency: 'EUR' },
    ...(version > 4 ? { owner: 'payments@checkout' } : {}),
    updatedBy: version % 2 === 0 ? 'j.moreau' : 'svc-flagd-6c9f5d',
    updatedAt: `2026-05-${String(1 + (version % 28)).padStart(2, '0')}T07:10:02Z`,
  })
}

const put = (key, value) => ({
  kind: 'put',
  key: encoder.encode(key),
  value: typeof value === 'string' ? encoder.encode(value) : value,
})
const remove = (key) => ({ kind: 'delete', range: { kind: 'key', key: encoder.encode(key) } })

function* registry() {
  const namespaces = ['default', 'kube-system', 'checkout', 'search', 'inventory']
  const apps = ['api', 'worker', 'gateway', 'cache', 'scheduler', 'mailer', 'indexer']
  for (const namespace of namespaces) {
    for (const [at, app] of apps.entries()) {
      for (let replica = 0; replica < 3; replica++) {
        const name = `${app}-6c9f5d${String(at)}b-${'xkqzw'[replica] ?? 'v'}${String(replica)}t8m`
        const labels = { app, tier: at < 3 ? 'front' : 'back' }
        const pod = storedObject({ kind: 'Pod', namespace, name, labels })
        yield put(`/registry/pods/${namespace}/${name}`, pod)
      }
      const config = storedObject({
        ...{ kind: 'ConfigMap', namespace, name: `${app}-config` },
        rest: [field(2, message(field(1, 'log.level'), field(2, 'info')))],
      })
      yield put(`/registry/configmaps/${namespace}/${app}-config`, config)
    }
    for (let at = 0; at < 40; at++) {
      const name = `${apps[at % apps.length] ?? 'api'}.17f0a${at.toString(16).padStart(4, '0')}`
      const event = storedObject({ kind: 'Event', namespace, name })
      yield put(`/registry/events/${namespace}/${name}`, event)
    }
  }
}

function* settings() {
  for (const region of ['ch', 'de', 'fr']) {
    const path = `/app/checkout/flags/regions/${region}.json`
    yield put(path, json({ region, isOpen: true, vatPercent: 19 }))
  }
  yield put(
    '/app/checkout/config/service.yaml',
    'replicas: 3\nimage: checkout:1.31.0\nport: 8443\n',
  )
  yield put(
    '/app/checkout/config/limits.toml',
    '[payments]\nmax_amount = 15000\ncurrency = "EUR"\n',
  )
  yield put('/app/checkout/config/.env', 'LOG_LEVEL=info\nDB_HOST=db.checkout.svc\nDB_PORT=5432\n')
  yield put(
    '/app/checkout/config/token',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjaGVja291dCIsImV4cCI6MTc4MDAwMDAwMH0.c2ln',
  )
  for (let at = 0; at < 60; at++) {
    const id = at.toString(16).padStart(4, '0')
    yield put(
      `/app/checkout/sessions/${id}`,
      json({ id, cart: at % 7, seenAt: 1_777_800_000 + at }),
    )
  }
  for (let at = 0; at < 120; at++) {
    const sku = `SKU-${String(10_000 + at)}`
    yield put(
      `/app/inventory/stock/${sku}`,
      json({ sku, count: (at * 37) % 211, warehouse: 'BER' }),
    )
  }
  yield put('/locks/scheduler', 'scheduler-6c9f5d')
  yield put('/locks/migrations', 'worker-2')
}

/**
 * The day has its hours: rounds in which one transaction writes many sessions, others in which there is only stock to
 * count, so that the timeline has peaks and quiet stretches.
 */
function busyStep(round, step) {
  const isQuiet = (round * 10 + step * 7) % 13 > 4 + 3 * Math.sin(round / 2)
  if (isQuiet) {
    const sku = String(10_000 + ((round * 10 + step) % 120))
    return [put(`/app/inventory/stock/SKU-${sku}`, json({ count: round * 7 + step }))]
  }
  const peak = round % 9 === 5 || round === 16 ? 9 : 0
  const count = 1 + Math.round(1.5 + 1.5 * Math.sin(round / 2.3)) + ((step * 5) % 3) + peak
  return Array.from({ length: count }, (_, at) => {
    const id = ((round * 13 + step * 3 + at * 5) % 90).toString(16).padStart(4, '0')
    const key = `/app/checkout/sessions/${id}`
    const isGone = (round + at) % 4 === 0
    return isGone ? remove(key) : put(key, json({ id, cart: at, seenAt: 1_777_900_000 + round }))
  })
}

/** What happens afterwards, one transaction each: flags that change, sessions that come and go. */
function* past() {
  for (let round = 1; round <= 24; round++) {
    for (const [at, flag] of flags.entries()) {
      const isQuiet = (round * 7 + at * 3) % 5 > 2
      if (!isQuiet) yield [put(`/app/checkout/flags/${flag}.json`, flagValue(flag, round))]
    }
    for (let step = 0; step < 10; step++) yield busyStep(round, step)
  }
  yield [
    remove('/app/checkout/flags/fraud-v1.json'),
    remove('/app/checkout/flags/promo-spring.json'),
  ]
  for (const flag of laterFlags) yield [put(`/app/checkout/flags/${flag}.json`, flagValue(flag, 2))]
  for (let version = 25; version < 30; version++)
    yield [put('/app/checkout/flags/express-pay.json', flagValue('express-pay', version))]
}

/** Transactions in their order, each a list of operations. */
export function* pictureData() {
  const batchOperations = 100
  let batch = []
  for (const operation of [...registry(), ...settings()]) {
    batch.push(operation)
    if (batch.length === batchOperations) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
  yield* past()
}
