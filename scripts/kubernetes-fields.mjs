/**
 * Makes the table by which stored Kubernetes objects are decoded: `src/renderer/values/kubernetes/fields.json`.
 *
 * Only facts are taken from the API's published Go modules: names and numbers of fields, their types, and how the API's own
 * JSON writes them (name, left out when empty, merged into the object around it). Run it again for a newer version:
 *
 *   go mod download k8s.io/api@VERSION k8s.io/apimachinery@VERSION \
 *     k8s.io/kube-aggregator@VERSION k8s.io/apiextensions-apiserver@VERSION
 *   node scripts/kubernetes-fields.mjs "$(go env GOMODCACHE)/k8s.io" VERSION
 *
 * A message is one text: its fields in the order of the API's JSON, separated by `;`. A field is
 * `number name type flags`. Types: s text, b bool, i int32, I int64, d double, B bytes, or a message; `*` before it:
 * repeated, `%`: a map from text. Flags: `?` left out when zero, `!` null when absent, `^` merged into its parent.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const target = resolve(import.meta.dirname, '../src/renderer/values/kubernetes/fields.json')
const modules = ['api', 'apimachinery', 'kube-aggregator', 'apiextensions-apiserver']
/** Requests and answers, which no store ever holds, and test data. */
const unstored =
  /^(?:admission|apidiscovery|authentication|authorization|imagepolicy|testapigroup)(?:\/|$)/u

const scalars = { string: 's', bool: 'b', int32: 'i', int64: 'I', double: 'd', bytes: 'B' }

const [root, version] = process.argv.slice(2)
if (root === undefined || version === undefined)
  throw new Error('usage: kubernetes-fields.mjs FOLDER_OF_MODULES VERSION')

const messages = {}
const groups = {}
for (const name of modules) {
  const folder = join(root, `${name}@${version}`)
  for (const path of readdirSync(folder, { recursive: true }).map(String).sort())
    if (path.endsWith('generated.proto')) takePackage(join(folder, path))
}
const kept = Object.fromEntries(Object.entries(messages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(target, `${JSON.stringify({ version, groups, messages: kept }, null, 2)}\n`)

function takePackage(protoPath) {
  const proto = readFileSync(protoPath, 'utf8').replaceAll(/^\s*\/\/.*$/gmu, '')
  const packageName = shortPackage(/^package (.+);$/mu.exec(proto)?.[1] ?? '')
  if (unstored.test(packageName)) return
  const go = goFacts(dirname(protoPath))
  const group = packageName.split('/')[0]
  if (go.group !== undefined && packageName.includes('/')) groups[go.group] = group
  for (const [, name, body] of proto.matchAll(/^message (\w+) \{\n([\s\S]*?)^\}/gmu)) {
    if (/List$/u.test(name) && body.includes('.ListMeta ')) continue
    const fields = [...protoFields(body, packageName)]
    const facts = go.structs.get(name) ?? new Map()
    const order = [...facts.keys()]
    fields.sort((a, b) => order.indexOf(a.number) - order.indexOf(b.number))
    messages[`${packageName}.${name}`] = go.lists.has(name)
      ? `list ${fields[0].type}`
      : fields.map((field) => fieldText(field, facts.get(field.number))).join(';')
  }
}

function* protoFields(body, packageName) {
  const pattern = /^\s*(optional|repeated|map<string, ([\w.]+)>) ?([\w.]+)?\s+(\w+) = (\d+);/gmu
  for (const [, label, mapped, plain, name, number] of body.matchAll(pattern)) {
    const prefix = mapped === undefined ? (label === 'repeated' ? '*' : '') : '%'
    yield {
      name,
      number: Number(number),
      type: prefix + typeText(mapped ?? plain, packageName),
    }
  }
}

function typeText(type, packageName) {
  if (scalars[type] !== undefined) return scalars[type]
  if (!type.startsWith('.')) return type
  const cut = type.lastIndexOf('.')
  const owner = shortPackage(type.slice(1, cut))
  return owner === packageName ? type.slice(cut + 1) : `${owner}.${type.slice(cut + 1)}`
}

function fieldText({ number, name, type }, facts) {
  const parts = [number, facts?.jsonName || name, type]
  if (facts === undefined) return parts.join(' ')
  const isNullable = facts.isPointer || /^[*%B]/u.test(type)
  const flags =
    (facts.isInline ? '^' : '') +
    (facts.isOmitted && !isNullable && (facts.isZeroOmitted || /^[sbiId]$/u.test(type))
      ? '?'
      : '') +
    (!facts.isOmitted && isNullable && !facts.isInline ? '!' : '')
  return flags === '' ? parts.join(' ') : [...parts, flags].join(' ')
}

/** What the Go structs of one folder tell about JSON. */
function goFacts(folder) {
  const structs = new Map()
  const lists = new Set()
  let group
  for (const name of readdirSync(folder)) {
    if (!/\.go$/u.test(name) || /_test\.go$|^zz_|generated\.pb\.go$/u.test(name)) continue
    const source = readFileSync(join(folder, name), 'utf8')
    group = /^const GroupName = "([^"]*)"/mu.exec(source)?.[1] ?? group
    for (const [, list] of source.matchAll(/^type (\w+) \[\]/gmu)) lists.add(list)
    for (const [, struct, body] of source.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gmu))
      structs.set(struct, new Map(structFields(body)))
  }
  return { structs, lists, group }
}

function* structFields(body) {
  for (const line of body.split('\n')) {
    const [, declared, tags] = /^\s*([^`/]+?)\s+`([^`]+)`/u.exec(line) ?? []
    const number = /protobuf:"\w+,(\d+)/u.exec(tags ?? '')?.[1]
    const json = /json:"([^"]*)"/u.exec(tags ?? '')?.[1]
    if (number === undefined || json === undefined) continue
    const [jsonName, ...options] = json.split(',')
    const type = declared.split(/\s+/u).at(-1)
    yield [
      Number(number),
      {
        jsonName,
        isInline: options.includes('inline'),
        isOmitted: options.includes('omitempty'),
        isZeroOmitted: options.includes('omitzero'),
        isPointer: type.startsWith('*'),
      },
    ]
  }
}

function shortPackage(name) {
  return name
    .replace(/^k8s\.io\.(?:api\.|apimachinery\.pkg\.(?:apis\.|api\.|util\.)?)/u, '')
    .replace(/^k8s\.io\.(?:kube_aggregator|apiextensions_apiserver)\.pkg\.apis\./u, '')
    .replaceAll('.', '/')
}
