/** The page's side of the worker for values: made on first use, and anew when a task does not come to an end. */

import ValueWorker from './value-worker.ts?worker'
import type { ValueAnswers, ValueTask } from './value-tasks.ts'

/** A task on its way to the worker. */
export interface WorkerRequest {
  readonly id: number
  readonly task: ValueTask
}

/** Its answer. */
export type WorkerReply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string }

/** The task failed, or took too long. */
export class ValueTaskError extends Error {
  override readonly name = 'ValueTaskError'
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: ValueTaskError) => void
}

/** A task that takes longer than this is broken off. */
const taskTimeoutMs = 20_000

let worker: Worker | undefined
let lastId = 0
const waiting = new Map<number, Waiting>()

/**
 * Does a task in the worker.
 *
 * @throws ValueTaskError  when it fails or does not end in time
 */
export async function valueTask<Task extends ValueTask>(
  task: Task,
): Promise<ValueAnswers[Task['kind']]> {
  const id = ++lastId
  worker ??= begin()
  const answer = new Promise<unknown>((resolve, reject) => {
    waiting.set(id, { resolve, reject })
  })
  worker.postMessage({ id, task } satisfies WorkerRequest)
  const timer = setTimeout(() => {
    end('it took too long')
  }, taskTimeoutMs)
  try {
    return (await answer) as ValueAnswers[Task['kind']]
  } finally {
    clearTimeout(timer)
    waiting.delete(id)
  }
}

function begin(): Worker {
  const made = new ValueWorker()
  made.addEventListener('message', (event: MessageEvent<WorkerReply>) => {
    const reply = event.data
    const one = waiting.get(reply.id)
    if (reply.ok) one?.resolve(reply.value)
    else one?.reject(new ValueTaskError(reply.message))
  })
  made.addEventListener('error', (event) => {
    end(event.message)
  })
  return made
}

/** Ends the worker with all of its tasks; the next task gets a new one. */
function end(message: string): void {
  worker?.terminate()
  worker = undefined
  for (const { reject } of waiting.values()) reject(new ValueTaskError(message))
}
