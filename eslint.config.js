import js from '@eslint/js'
import vue from 'eslint-plugin-vue'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'
import { pageParser } from './scripts/page-parser.mjs'

const ambient = [
  'globalThis',
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process',
  'crypto',
]
const everywhere = [
  { selector: 'ExportAllDeclaration', message: 'Export by name.' },
  { selector: 'TSEnumDeclaration', message: 'Use a union of string literals.' },
]
const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name, so that a thing has one name everywhere.',
}

const houseRules = {
  'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
  'max-params': ['error', 4],
  'max-depth': ['error', 4],
  'no-console': 'error',
  eqeqeq: 'error',
  'no-restricted-syntax': ['error', ...everywhere, noDefaultExport],
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/switch-exhaustiveness-check': [
    'error',
    { considerDefaultExhaustiveForUnions: true },
  ],
  '@typescript-eslint/restrict-template-expressions': [
    'error',
    { allowNumber: true, allowBoolean: true },
  ],
  '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
  '@typescript-eslint/consistent-type-imports': 'error',
}

export default defineConfig(
  globalIgnores(['out', 'dist', 'node_modules', 'src/core/proto/gen', '.cache', 'coverage']),
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.vue'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: [] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: houseRules,
  },
  {
    // One program has the types for many.
    files: ['{src,tests/unit,tests/e2e}/renderer/**/*.ts'],
    languageOptions: { parser: pageParser },
  },
  {
    files: ['src/renderer/**/*.vue'],
    extends: [vue.configs['flat/recommended']],
    // Where another extension is named, the linter opens every file in a project of an editor: only screens name it.
    languageOptions: { parserOptions: { parser: pageParser, extraFileExtensions: ['.vue'] } },
    rules: {
      'max-lines': ['error', { max: 250 }],
      'vue/multi-word-component-names': 'off',
      'vue/no-v-html': 'error',
      'vue/require-default-prop': 'off',
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-indent': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/attributes-order': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'no-undef': 'off',
    },
  },
  {
    // Runs must be replayable: nothing ambient in the state machine.
    files: ['src/core/{base,raft,mvcc,watch,lease,apply,membership}/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...ambient.map((name) => ({ name, message: 'Inject it: runs must be replayable.' })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Draw from the injected Random.' },
      ],
    },
  },
  {
    files: ['src/core/raft/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...everywhere,
        noDefaultExport,
        {
          selector: ':function[async=true], AwaitExpression',
          message: 'Raft runs to completion.',
        },
      ],
    },
  },
  {
    files: ['tests/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      'max-lines': ['error', { max: 800, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    files: ['*.config.ts', '*.config.js', 'tests/**/*.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['scripts/**/*.mjs', 'bench/**/*.mjs', '*.cjs', 'scripts/**/*.cjs'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'URL',
          'Buffer',
          'TextEncoder',
          'fetch',
          'setTimeout',
          'clearTimeout',
          'module',
          'require',
          'performance',
          'AbortSignal',
          'setInterval',
          'clearInterval',
          '__dirname',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
)
