/**
 * Generates src/core/proto/gen from src/core/proto/*.proto.
 *
 * Run with `node scripts/generate-proto.mjs`. The output is committed, so a build needs neither buf nor ts-proto. The
 * generated files are thrown away first: a message that was taken out of a .proto file leaves nothing behind.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const projectFolder = join(dirname(fileURLToPath(import.meta.url)), '..')
const protoFolder = join(projectFolder, 'src/core/proto')
const outputFolder = join(protoFolder, 'gen')

const options = [
  'esModuleInterop=true',
  'importSuffix=.ts',
  'forceLong=bigint',
  'oneof=unions-value',
  // String unions and const objects instead of enum declarations, which type stripping cannot handle.
  'enumsAsLiterals=true',
  // The JSON gateway has rules of its own.
  'outputJsonMethods=false',
  // Services as plain data: server and client each build what their transport wants.
  'outputServices=generic-definitions',
  'useExactTypes=false',
  'removeEnumPrefix=true',
  'useOptionals=none',
  'outputIndex=false',
  'annotateFilesWithVersion=false',
]

const template = {
  version: 'v2',
  plugins: [
    {
      local: join(projectFolder, 'node_modules/.bin/protoc-gen-ts_proto'),
      out: outputFolder,
      opt: options,
    },
  ],
}

rmSync(outputFolder, { recursive: true, force: true })
execFileSync(
  join(projectFolder, 'node_modules/.bin/buf'),
  ['generate', '--template', JSON.stringify(template), protoFolder],
  { stdio: 'inherit' },
)

// Messages described as data, for the JSON gateway: it translates any of them without code of its own for each.
const describedFile = join(outputFolder, 'descriptors.binpb')
execFileSync(
  join(projectFolder, 'node_modules/.bin/buf'),
  ['build', protoFolder, '--as-file-descriptor-set', '--exclude-source-info', '-o', describedFile],
  { stdio: 'inherit' },
)
const described = readFileSync(describedFile).toString('base64')
rmSync(describedFile)
writeFileSync(
  join(outputFolder, 'descriptors.ts'),
  [
    '/** google.protobuf.FileDescriptorSet of all .proto files beside this folder, in base64. Generated. */',
    'export const fileDescriptorSetBase64 =',
    ...(described.match(/.{1,96}/g) ?? []).map(
      (line, at, all) => `  '${line}'${at + 1 < all.length ? ' +' : ''}`,
    ),
    '',
  ].join('\n'),
)
