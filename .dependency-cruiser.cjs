/**
 * The layers of the house, enforced: what each folder may import besides itself. Arrows that seem to be missing are missing.
 */
const coreLayers = {
  base: [],
  errors: ['base'],
  raft: ['base'],
  io: ['base', 'errors'],
  backend: ['base', 'errors'],
  wal: ['base', 'errors', 'io', 'raft', 'proto'],
  mvcc: ['base', 'errors', 'backend'],
  lease: ['base', 'errors', 'backend', 'proto'],
  auth: ['base', 'errors', 'backend', 'proto'],
  membership: ['base', 'errors', 'backend'],
  watch: ['base', 'errors', 'mvcc'],
  apply: ['base', 'errors', 'backend', 'mvcc', 'lease', 'auth', 'membership', 'proto'],
  peer: ['base', 'errors', 'io', 'raft', 'proto'],
  node: [
    'base',
    'errors',
    'io',
    'raft',
    'proto',
    'backend',
    'wal',
    'mvcc',
    'lease',
    'auth',
    'membership',
    'watch',
    'apply',
    'peer',
  ],
  rpc: ['base', 'errors', 'proto', 'node'],
  client: ['base', 'errors', 'proto'],
  proto: [],
}

const coreRules = Object.entries(coreLayers).map(([folder, allowed]) => ({
  name: `core-${folder}`,
  comment: `src/core/${folder} may import: ${['itself', ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: `^src/core/${folder}/` },
  to: { path: '^src/', pathNot: `^src/core/(${[folder, ...allowed].join('|')})/` },
}))

module.exports = {
  forbidden: [
    ...coreRules,
    {
      name: 'no-cycles',
      comment: 'A cycle cannot be read from either end.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'core-stands-alone',
      comment: 'The store node runs under plain Node.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { path: '^(electron|vue|pinia|naive-ui|monaco-editor)|^src/(main|preload|renderer)/' },
    },
    {
      name: 'only-one-file-knows-lmdb',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/core/backend/lmdb-' },
      to: { path: 'node_modules/lmdb/' },
    },
    {
      name: 'main-uses-core-and-contract',
      severity: 'error',
      from: { path: '^src/main/' },
      to: { path: '^src/', pathNot: '^src/(main|core|preload/contract)/' },
    },
    {
      name: 'preload-has-no-logic',
      severity: 'error',
      from: { path: '^src/preload/' },
      to: { path: '^src/', pathNot: '^src/preload/' },
    },
    {
      name: 'renderer-knows-the-contract-only',
      severity: 'error',
      from: { path: '^src/renderer/' },
      to: { path: '^src/', pathNot: '^src/(renderer|preload/contract)/' },
    },
    {
      name: 'renderer-touches-no-node',
      severity: 'error',
      from: { path: '^src/renderer/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'components-know-neither-store-nor-api',
      severity: 'error',
      from: { path: '^src/renderer/(components|format)/' },
      to: { path: '^src/renderer/(api|stores|screens)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.vue', '.mjs', '.js'] },
  },
}
