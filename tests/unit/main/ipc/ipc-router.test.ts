import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogFields, Logger } from '../../../../src/core/base/logger.ts'
import { silentLogger } from '../../../../src/core/base/logger.ts'
import { StoreError } from '../../../../src/core/errors/store-error.ts'
import { ConnectionManager } from '../../../../src/main/connections/connection-manager.ts'
import { OperationLog } from '../../../../src/main/connections/operation-log.ts'
import { SecretStore, type SecretCipher } from '../../../../src/main/connections/secret-store.ts'
import { ProfileStore } from '../../../../src/main/connections/profile-store.ts'
import {
  registerAppHandlers,
  registerConnectionHandlers,
  registerNodeHandlers,
  registerOperationHandlers,
  registerSettingsHandlers,
} from '../../../../src/main/ipc/host-handlers.ts'
import { ChosenFiles } from '../../../../src/main/files/chosen-files.ts'
import { registerActivityHandlers } from '../../../../src/main/ipc/activity-handlers.ts'
import { registerCompareHandlers } from '../../../../src/main/ipc/compare-handlers.ts'
import { registerFileHandlers } from '../../../../src/main/ipc/file-handlers.ts'
import { IpcRouter, type IpcEvent } from '../../../../src/main/ipc/ipc-router.ts'
import { registerKvHandlers } from '../../../../src/main/ipc/kv-handlers.ts'
import { registerLeaseHandlers } from '../../../../src/main/ipc/lease-handlers.ts'
import { registerPlanHandlers } from '../../../../src/main/ipc/plan-handlers.ts'
import { registerQueryHandlers } from '../../../../src/main/ipc/query-handlers.ts'
import { registerScanHandlers } from '../../../../src/main/ipc/scan-handlers.ts'
import { registerStreamHandlers } from '../../../../src/main/ipc/stream-handlers.ts'
import { registerWatchRowsHandlers } from '../../../../src/main/ipc/watch-rows-handlers.ts'
import { StreamHub } from '../../../../src/main/ipc/stream-hub.ts'
import { appPathsIn } from '../../../../src/main/app-paths.ts'
import { SettingsStore } from '../../../../src/main/settings-file.ts'
import { StoreHost } from '../../../../src/main/store-host/store-host.ts'
import {
  callChannels,
  streamChannels,
  streamPageStartChannel,
} from '../../../../src/preload/contract/channels.ts'
import { emptyRequestSchema, keyBytesSchema } from '../../../../src/preload/contract/primitives.ts'
import type { Reply } from '../../../../src/preload/contract/reply.ts'
import { systemRandom } from '../../../../src/core/io/system-random.ts'
import { ManualClock } from '../../../helpers/manual-clock.ts'

type Handle = (event: IpcEvent, argument: unknown) => Promise<unknown>

/** A page and the channels it can call. */
class FakeIpc {
  readonly handlers = new Map<string, Handle>()
  readonly listeners = new Map<string, (event: IpcEvent, argument: unknown) => void>()
  readonly sent: unknown[] = []

  handle(channel: string, listener: Handle): void {
    this.handlers.set(channel, listener)
  }
  on(channel: string, listener: (event: IpcEvent, argument: unknown) => void): void {
    this.listeners.set(channel, listener)
  }
  event(url = 'app://quorate/index.html'): IpcEvent {
    return {
      processId: 7,
      frameId: 4,
      sender: {
        id: 1,
        mainFrame: { url, processId: 7, routingId: 4 },
        isDestroyed: () => false,
        send: (_channel, message) => this.sent.push(message),
      },
    }
  }
  async call(channel: string, argument: unknown, event = this.event()): Promise<Reply<unknown>> {
    const handler = this.handlers.get(channel)
    if (handler === undefined) throw new Error(`nobody handles ${channel}`)
    return (await handler(event, argument)) as Reply<unknown>
  }
}

class RecordingLogger implements Logger {
  readonly errors: { message: string; fields: LogFields | undefined }[] = []
  debug(): void {
    // Nothing is asserted on these.
  }
  info(): void {
    // Nothing is asserted on these.
  }
  warn(): void {
    // Nothing is asserted on these.
  }
  error(message: string, fields?: LogFields): void {
    this.errors.push({ message, fields })
  }
  with(): Logger {
    return this
  }
}

function router(ipc: FakeIpc, logger: Logger = silentLogger): IpcRouter {
  return new IpcRouter({
    source: ipc,
    streams: new StreamHub(new ManualClock()),
    logger,
    isOwnPage: (url) => url.startsWith('app://quorate/'),
  })
}

/** A machine on which nothing can be encrypted. */
const noCipher: SecretCipher = {
  isEncryptionAvailable: () => false,
  encryptString: () => Buffer.alloc(0),
  decryptString: () => '',
}

/** The whole app behind a router, without windows, processes or open connections. */
function wholeApp(ipc: FakeIpc, logger: Logger): void {
  const clock = new ManualClock()
  const whole = router(ipc, logger)
  const paths = appPathsIn('/nonexistent/quorate-test')
  const connections = new ConnectionManager(
    { clock, random: systemRandom },
    {
      profiles: new ProfileStore(paths.profilesFile, logger),
      secrets: new SecretStore(paths.secretsFile, noCipher, logger),
    },
  )
  const operations = new OperationLog(clock)
  registerAppHandlers(whole, {
    info: () => Promise.reject(new StoreError('stopped')),
    writeClipboard: () => Promise.resolve(),
    onCommand: () => () => undefined,
    onClosing: () => () => undefined,
    pageIsReady: () => undefined,
  })
  registerConnectionHandlers(whole, connections, () => Promise.resolve(undefined))
  registerKvHandlers(whole, { connections, operations })
  registerLeaseHandlers(whole, { connections, operations })
  registerQueryHandlers(whole, { clock, connections })
  registerStreamHandlers(whole, { clock, connections })
  registerWatchRowsHandlers(whole, { connections })
  registerScanHandlers(whole, connections)
  registerActivityHandlers(whole, { clock, connections })
  registerPlanHandlers(whole, { clock, connections, operations })
  registerCompareHandlers(whole, { clock, connections })
  registerFileHandlers(
    whole,
    new ChosenFiles({
      chooseSave: () => Promise.resolve(undefined),
      chooseOpen: () => Promise.resolve(undefined),
    }),
  )
  registerNodeHandlers(
    whole,
    new StoreHost({
      clock,
      logger,
      fork: () => {
        throw new Error('no process is started by a random argument')
      },
      directory: paths.playgroundDirectory,
      connect: () => 'playground',
      onNodesChanged: () => undefined,
    }),
  )
  registerSettingsHandlers(whole, new SettingsStore(paths, logger))
  registerOperationHandlers(whole, operations)
}

describe('IpcRouter', () => {
  test.each([
    { what: 'a document that another one replaced', processId: 4, frameId: 1 },
    { what: 'a frame inside of the page', processId: 7, frameId: 5 },
    { what: 'a frame that is gone', processId: undefined, frameId: undefined },
  ])('a message of $what is refused and closes no streams', async ({ processId, frameId }) => {
    const ipc = new FakeIpc()
    const endings: string[] = []
    router(ipc).stream(streamChannels.clusterObserve, emptyRequestSchema, {
      begin: () => ({
        dispose: () => {
          endings.push('closed')
        },
      }),
    })
    await ipc.call(streamChannels.clusterObserve, { streamId: 1, request: {} })
    const foreign: IpcEvent = { ...ipc.event(), processId, frameId }
    ipc.listeners.get(streamPageStartChannel)?.(foreign, {})
    expect(endings).toEqual([])
    const reply = await ipc.call(
      streamChannels.clusterObserve,
      { streamId: 2, request: {} },
      foreign,
    )
    expect(reply).toMatchObject({ ok: false, error: { code: 'invalidRequest' } })
    ipc.listeners.get(streamPageStartChannel)?.(ipc.event(), {})
    expect(endings).toEqual(['closed'])
  })

  test('a checked request reaches its handler and the value comes back', async () => {
    const ipc = new FakeIpc()
    router(ipc).call(callChannels.kvGet, keyBytesSchema, (key) => key.length)
    expect(await ipc.call(callChannels.kvGet, new Uint8Array(3))).toEqual({ ok: true, value: 3 })
  })

  test.each([
    ['another origin', 'https://example.com/'],
    ['a page whose name only begins like ours', 'app://quorate.example/'],
  ])('a message from %s is refused', async (_what, url) => {
    const ipc = new FakeIpc()
    let isCalled = false
    router(ipc).call(callChannels.appInfo, emptyRequestSchema, () => {
      isCalled = true
      return null
    })
    const reply = await ipc.call(callChannels.appInfo, {}, ipc.event(url))
    expect(reply).toMatchObject({ ok: false, error: { code: 'invalidRequest' } })
    expect(isCalled).toBe(false)
  })

  test('an expected failure crosses with its code, figures and outcome', async () => {
    const ipc = new FakeIpc()
    router(ipc).call(callChannels.appInfo, emptyRequestSchema, () => {
      throw new StoreError('compacted', { requested: 5, isOutcomeUnknown: true, nested: { a: 1 } })
    })
    expect(await ipc.call(callChannels.appInfo, {})).toEqual({
      ok: false,
      error: {
        code: 'compacted',
        message: 'etcdserver: mvcc: required revision has been compacted',
        isRetryable: false,
        isOutcomeUnknown: true,
        details: { requested: 5, isOutcomeUnknown: true },
      },
    })
  })

  test('a bug is logged, and its text does not cross', async () => {
    const ipc = new FakeIpc()
    const logger = new RecordingLogger()
    router(ipc, logger).call(callChannels.appInfo, emptyRequestSchema, () => {
      throw new TypeError('secret of the inside')
    })
    const reply = await ipc.call(callChannels.appInfo, {})
    expect(JSON.stringify(reply)).not.toContain('secret')
    expect(reply).toMatchObject({ ok: false, error: { code: 'internal' } })
    expect(logger.errors).toHaveLength(1)
  })

  test('every channel of the contract has a handler', () => {
    const ipc = new FakeIpc()
    wholeApp(ipc, silentLogger)
    const wanted = [...Object.values(callChannels), ...Object.values(streamChannels)]
    expect([...ipc.handlers.keys()].sort()).toEqual([...wanted].sort())
  })

  /** Arguments that look a little like real ones, so that they get further than plain noise. */
  const plausibleKey = fc.constantFrom(
    'connectionId',
    'key',
    'range',
    'kind',
    'prefix',
    'limit',
    'revision',
    'streamId',
    'request',
    'nodeName',
    'size',
    'endpoints',
    'text',
    '__proto__',
    'constructor',
  )
  const leaf = fc.oneof(
    fc.constantFrom('playground', 'prefix', 'all', '', 'http://x:1'),
    fc.anything({ withBigInt: true, withTypedArray: true, withDate: true, withMap: true }),
    fc.double(),
    fc.bigInt(),
    fc.uint8Array({ maxLength: 16 }),
  )
  const argument = fc.oneof(
    fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true }),
    fc.dictionary(plausibleKey, fc.oneof(leaf, fc.dictionary(plausibleKey, leaf))),
  )
  /** These take any well-formed request, which noise happens to be now and then; they touch no cluster. */
  const harmless = new Set<string>([
    callChannels.appWriteClipboard,
    callChannels.settingsUpdate,
    callChannels.settingsSavePageState,
  ])
  const refusing = Object.values(callChannels).filter((channel) => !harmless.has(channel))

  test.each([...refusing, ...Object.values(streamChannels)])(
    'no random argument gets past the schema of %s',
    async (channel) => {
      const ipc = new FakeIpc()
      const logger = new RecordingLogger()
      wholeApp(ipc, logger)
      await fc.assert(
        fc.asyncProperty(argument, async (value) => {
          const reply = await ipc.call(channel, value)
          // A failed reply is a refusal; an answer is right only for the requests that ask for nothing.
          if (!reply.ok) expect(reply.error.code).not.toBe('internal')
        }),
        { numRuns: 1_000 },
      )
      expect(logger.errors).toEqual([])
    },
  )
})
