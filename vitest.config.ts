import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { hasDisplay } from './scripts/system-libraries.mjs'

/** Files that take longest, the longest first: begun last, one of them would run alone at the end. */
const longestFiles = [
  'simulation/random-faults',
  'simulation/random-faults-and-known-seeds',
  'integration/torn-log',
  'integration/leader-kills',
  'integration/faults-under-load',
  'integration/members',
  'integration/defragment',
  'integration/leases',
  'integration/bin-model',
  'integration/hostile-clients',
  'integration/rolling-restart',
  'integration/peer/http-peer-transport',
  'integration/history-model',
  'integration/kubernetes-patterns',
  'integration/node-cluster',
  'integration/etcd3-client',
  'integration/client/client',
  'integration/backend-defragment',
  'compat/snapshot',
  'compat/http2-clients',
  'compat/watch-streams',
  'compat/requests',
  'compat/process-contract',
  'compat/etcdctl-newer',
  'compat/etcdctl',
  'compat/membership',
  'e2e/renderer/screens',
  'e2e/app/editing',
  'e2e/app/faults',
  'e2e/app/browser',
  'e2e/app/plans',
  'e2e/app/values',
  'e2e/app/watch',
  'e2e/app/names',
  'e2e/app/access',
  'e2e/renderer/key-list',
  'e2e/app/query',
  'e2e/app/journey',
  'e2e/app/bridge',
  'e2e/app/travel',
  'e2e/app/compare',
  'e2e/app/history',
]

/** Begins with the longest files; the others follow as vitest would sort them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = longestFiles.findIndex((name) => moduleId.endsWith(`/tests/${name}.test.ts`))
      return rank < 0 ? longestFiles.length : rank
    }
    return (await super.sort(files)).sort((left, right) => rankOf(left) - rankOf(right))
  }
}

/** Polls wait for what will happen, however slow the machine is. */
const expect = { poll: { timeout: 30_000 } }

/**
 * Files of windows at a time. On a display that is there only one of them has the focus; without one each file has a virtual
 * display of its own.
 */
const windowFilesAtOnce = hasDisplay() ? 1 : Number(process.env['QUORATE_E2E_AT_ONCE'] ?? 2)

/**
 * One project per layer of tests, from milliseconds to minutes. Two files run at a time, as the smallest machine that is
 * meant for them has two cores, and three where they wait for disks and elections most of the time. Files share neither
 * ports nor folders; limits of time are for a machine three times slower.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        plugins: [vue()],
        test: {
          name: 'unit',
          include: ['tests/unit/**/*.test.ts'],
          testTimeout: 120_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          expect,
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['tests/simulation/**/*.test.ts'],
          testTimeout: 600_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
          expect,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['tests/integration/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          maxWorkers: 3,
          sequence: { groupOrder: 3 },
          expect,
        },
      },
      {
        test: {
          name: 'compat',
          include: ['tests/compat/**/*.test.ts'],
          globalSetup: 'tests/compat/comparison-count.ts',
          testTimeout: 300_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          sequence: { groupOrder: 4 },
          expect,
        },
      },
      {
        plugins: [vue()],
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          globalSetup: 'tests/e2e/renderer/built-page.ts',
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: windowFilesAtOnce,
          sequence: { groupOrder: 5 },
          expect,
        },
      },
    ],
  },
})
