/** Local nodes as Electron's utility processes. */

import { utilityProcess } from 'electron'
import type { NodeMessage } from './host-protocol.ts'
import type { ForkNode } from './node-process.ts'

/** Forks nodes from the built entry file of `store-process.ts`. */
export function utilityFork(entryPath: string): ForkNode {
  return (name, flags, listener) => {
    const child = utilityProcess.fork(entryPath, [...flags], {
      serviceName: `Quorate store ${name}`,
      // Nothing of the app's surroundings configures a node. The log's sync must not wait for a thread behind the
      // database's writer.
      env: { UV_THREADPOOL_SIZE: '8' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.on('message', (message: NodeMessage) => {
      listener.onMessage(message)
    })
    child.once('exit', (exitCode) => {
      listener.onExit(exitCode)
    })
    // Log lines come as messages. What is printed nevertheless comes from the runtime or a native library.
    for (const output of [child.stdout, child.stderr]) {
      output?.on('data', (chunk: Buffer) => {
        const message = chunk.toString('utf8').trim()
        if (message === '') return
        listener.onMessage({
          kind: 'log',
          level: 'warn',
          atMs: Date.now(),
          message,
          fieldsText: '',
        })
      })
    }
    return {
      get processId() {
        return child.pid
      },
      send: (message) => {
        child.postMessage(message)
      },
      kill: () => {
        if (child.pid === undefined) return
        // `child.kill()` sends SIGTERM, which is the soft way.
        process.kill(child.pid, 'SIGKILL')
      },
    }
  }
}
