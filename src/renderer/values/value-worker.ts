/** The worker for values: everything that may take longer than a moment, or loads a library. */

import type { WorkerReply, WorkerRequest } from './value-worker-client.ts'
import { runValueTask } from './value-tasks.ts'

self.addEventListener('message', (event: MessageEvent<WorkerRequest>) => {
  const { id, task } = event.data
  const answer = (reply: WorkerReply): void => {
    self.postMessage(reply)
  }
  runValueTask(task).then(
    (value) => {
      answer({ id, ok: true, value })
    },
    (error: unknown) => {
      answer({ id, ok: false, message: error instanceof Error ? error.message : String(error) })
    },
  )
})
