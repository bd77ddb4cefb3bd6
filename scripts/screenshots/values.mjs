/** Values: a stored Kubernetes object as YAML, a token taken apart, bytes being edited, and one line of JSON laid out. */
export async function take({ page, openPrefix, shot, write }) {
  const put = (key, value) => ({ kind: 'put', key: new TextEncoder().encode(key), value })
  await write([
    put('/app/values/api-token', new TextEncoder().encode(token())),
    put(
      '/app/values/counter.bin',
      Uint8Array.from({ length: 1_400 }, (_, at) => (at * at) & 0xff),
    ),
    put('/app/values/settings.toml', new TextEncoder().encode(settings)),
    // What crosses to the page is a plain array of bytes; a buffer would not.
    put('/app/values/stored-configmap', Uint8Array.from(storedObject())),
  ])
  await openPrefix('/app/values/')
  await open(page, 'stored-configmap')
  await page.getByTestId('value-facts').getByText('Kubernetes ConfigMap').waitFor()
  await page.locator('.monaco-editor .view-line').first().waitFor()
  await shot('values-kubernetes')
  await open(page, 'api-token')
  await page.getByTestId('value-facts').getByText('signature is not checked').waitFor()
  await shot('values-token')
  await open(page, 'counter.bin')
  await page.getByTestId('hex-view').waitFor()
  await page.getByRole('button', { name: 'Edit', exact: true }).click()
  await page.getByRole('grid', { name: 'Bytes of the value, editing' }).focus()
  for (let count = 0; count < 3; count++) await page.keyboard.press('ArrowDown')
  for (let count = 0; count < 7; count++) await page.keyboard.press('Shift+ArrowRight')
  await shot('values-bytes')
  await page.getByRole('button', { name: 'Discard' }).click()
}

const settings = `# limits of the checkout
[checkout]
percent = 35
hosts = ["eu-1", "eu-2"]
since = 2026-05-04T12:03:19Z
`

async function open(page, name) {
  await page
    .getByRole('row')
    .filter({ has: page.getByText(name, { exact: true }) })
    .first()
    .click()
}

function token() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: 'checkout',
    sub: 'svc-flagd',
    aud: 'flags',
    iat: 1_777_896_199,
    exp: 1_893_456_000,
  }
  return `${part({ alg: 'ES256', typ: 'JWT', kid: '2026-05' })}.${part(claims)}.c2lnbmF0dXJl`
}

/** A config map as an API server stores it. */
function storedObject() {
  const text = (value) => Buffer.from(value)
  const field = (number, value) => {
    const body = typeof value === 'string' ? text(value) : value
    return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(body.length)]), body])
  }
  const entry = (key, value) => field(2, Buffer.concat([field(1, key), field(2, value)]))
  const label = (key, value) => field(11, Buffer.concat([field(1, key), field(2, value)]))
  const metadata = Buffer.concat([
    field(1, 'checkout-settings'),
    field(3, 'shop'),
    field(5, '7d1f2c3a-7a0e-4a53-9d9b-1f0f6a1d6c11'),
    label('app', 'checkout'),
    label('tier', 'web'),
  ])
  const raw = Buffer.concat([
    field(1, metadata),
    entry('limits.properties', 'orders=250\nrefunds=40\n'),
    entry('region', 'eu-central'),
  ])
  const meta = Buffer.concat([field(1, 'v1'), field(2, 'ConfigMap')])
  return Buffer.concat([text('k8s\0'), field(1, meta), field(2, raw), field(3, ''), field(4, '')])
}

function varint(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]
}
