/** One process of the load generator: takes one job, does it, answers, and ends with its parent. */
import { runPagesJob } from './pages-job.mjs'
import { runUnaryJob } from './unary-job.mjs'
import { runWatchJob } from './watch-job.mjs'

const jobs = { unary: runUnaryJob, pages: runPagesJob, watch: runWatchJob }

process.on('disconnect', () => process.exit(0))
/** The job under way; `stop` ends one that has no duration of its own. */
let current

process.on('message', (message) => {
  if (message === 'stop') {
    current.isStopped = true
    current.onStop?.()
    return
  }
  current = message
  jobs[current.job](current, (progress) => process.send({ progress })).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: String(error?.message ?? error) }),
  )
})
