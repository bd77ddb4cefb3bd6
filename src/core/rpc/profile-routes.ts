/**
 * Profiles of this process, under etcd's paths: `--enable-pprof`.
 *
 * They are of this runtime, not of Go's: `/debug/pprof/profile` answers with a `.cpuprofile` and `/debug/pprof/heap` with a
 * `.heapprofile`, both of which Chrome's developer tools open. What only Go has (goroutines, mutexes, traces) is not there.
 */
import { Session } from 'node:inspector'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { notFoundAnswer, readBody, sendAnswer, type HttpExchange } from './http-exchange.ts'
import type { HttpRoute } from './http-router.ts'

/** Content of a request that has a reason to have none. */
const ignoredBodyBytesMax = 65_536
const secondsDefault = 30
const secondsMax = 300
/** An allocation in about every so many bytes is looked at. */
const heapSampleBytes = 32_768

const indexText = `<html>
<head><title>/debug/pprof/</title></head>
<body>
<p>Profiles of this process: <a href="profile?seconds=30">profile</a> of the processor (.cpuprofile),
<a href="heap?seconds=30">heap</a> allocations (.heapprofile), <a href="cmdline">cmdline</a>.</p>
</body>
</html>
`

/** Takes a profile over some time. */
type Take = (session: Session, wait: () => Promise<void>) => Promise<unknown>

const profiles: ReadonlyMap<string, Take> = new Map<string, Take>([
  [
    'profile',
    async (session, wait) => {
      await ask(session, 'Profiler.enable')
      await ask(session, 'Profiler.start')
      await wait()
      return (await ask(session, 'Profiler.stop')).profile
    },
  ],
  [
    'heap',
    async (session, wait) => {
      await ask(session, 'HeapProfiler.startSampling', { samplingInterval: heapSampleBytes })
      await wait()
      return (await ask(session, 'HeapProfiler.stopSampling')).profile
    },
  ],
])

/** The runtime's own promises for this (`node:inspector/promises`) begin with Node 19; Electron's Node may be older. */
function ask(
  session: Session,
  method: string,
  parameters: object = {},
): Promise<{ readonly profile?: unknown }> {
  return new Promise((resolve, reject) => {
    session.post(method, parameters, (error, answer) => {
      if (error === null) resolve(answer ?? {})
      else reject(error)
    })
  })
}

/** The routes. One profile is taken at a time. */
export function profileRoutes(clock: Clock, logger: Logger): readonly HttpRoute[] {
  let isTaking = false
  const take = async (exchange: HttpExchange, name: string, profile: Take): Promise<void> => {
    if (isTaking) {
      const body = 'Could not enable profiling: one is being taken already\n'
      sendAnswer(exchange, { status: 500, body })
      return
    }
    isTaking = true
    const session = new Session()
    try {
      session.connect()
      logger.info('taking a profile', { profile: name })
      const result = await profile(session, () => waitFor(clock, exchange))
      sendAnswer(exchange, {
        status: 200,
        body: JSON.stringify(result),
        contentType: 'application/json',
        headers: { 'content-disposition': `attachment; filename="quorated.${name}profile"` },
      })
    } finally {
      session.disconnect()
      isTaking = false
    }
  }
  return [
    {
      path: '/debug/pprof/',
      methods: ['GET'],
      handle: async (exchange) => {
        await readBody(exchange, ignoredBodyBytesMax)
        const name = exchange.path.slice('/debug/pprof/'.length)
        const profile = profiles.get(name)
        if (profile !== undefined) await take(exchange, name === 'heap' ? 'heap' : 'cpu', profile)
        else if (name === 'cmdline') {
          sendAnswer(exchange, { status: 200, body: process.argv.join('\0') })
        } else if (name === '') {
          const contentType = 'text/html; charset=utf-8'
          sendAnswer(exchange, { status: 200, body: indexText, contentType })
        } else sendAnswer(exchange, notFoundAnswer)
      },
    },
  ]
}

function secondsOf(exchange: HttpExchange): number {
  const seconds = Number(exchange.query.get('seconds') ?? secondsDefault)
  return seconds > 0 ? Math.min(seconds, secondsMax) : secondsDefault
}

/** As long as was asked for; ends early when nobody waits for the profile any more. */
function waitFor(clock: Clock, exchange: HttpExchange): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel()
      exchange.signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimer(secondsOf(exchange) * 1_000, end)
    exchange.signal.addEventListener('abort', end)
  })
}
