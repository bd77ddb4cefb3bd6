/** Where the processor goes: the CPU time of processes and of their threads over a stretch, read from /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** Clock ticks a second in /proc, on every Linux that Node runs on. */
const ticksPerSecond = 100
const shownPercentMin = 2

const fieldsOf = (path) => {
  const text = readFileSync(path, 'utf8')
  // The name stands in brackets and may hold anything, so that the fields begin behind the last one.
  const end = text.lastIndexOf(')')
  const fields = text.slice(end + 2).split(' ')
  const name = text.slice(text.indexOf('(') + 1, end)
  return { name, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }
}

const numbersIn = (path) => readdirSync(path).filter((name) => /^\d+$/.test(name))

/** Processes and threads come and go while they are read. */
function orNone(read) {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return undefined
    throw error
  }
}

/** All processes of this machine: parent, CPU time, and the same of each thread. */
function readProcesses() {
  const found = new Map()
  for (const pid of numbersIn('/proc')) {
    const threads = new Map()
    const own = orNone(() => {
      for (const id of numbersIn(`/proc/${pid}/task`)) {
        const thread = orNone(() => fieldsOf(`/proc/${pid}/task/${id}/stat`))
        if (thread !== undefined) threads.set(id, thread)
      }
      return fieldsOf(`/proc/${pid}/stat`)
    })
    if (own !== undefined) found.set(Number(pid), { ...own, threads })
  }
  return found
}

const commandOf = (pid) =>
  orNone(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')) ?? ''

/** What a process of the app is, by what Chromium calls it. */
function roleOf(pid, name) {
  const type = /--type=([\w-]+)/.exec(commandOf(pid))?.[1]
  if (name === 'Xvfb') return 'display'
  return type === undefined ? 'main process' : type
}

function isBelow(processes, pid, ancestor) {
  for (let at = pid; at !== undefined && at > 1; at = processes.get(at)?.parent)
    if (at === ancestor) return true
  return false
}

/** Busy and all time of the machine, in ticks. */
function machineTicks() {
  const [line] = readFileSync('/proc/stat', 'utf8').split('\n')
  const all = line.trim().split(/\s+/).slice(1, 9).map(Number)
  const total = all.reduce((sum, one) => sum + one, 0)
  return { total, busy: total - all[3] - all[4] }
}

/**
 * Begins to count; the returned function ends it and answers one line for each process, in percent of one core.
 *
 * @param {{ appPid: number, serverPid: number }} of  the app with its children, the server; the load generator is a child of this process
 */
export function countProcessorTime({ appPid, serverPid }) {
  const before = readProcesses()
  const machineBefore = machineTicks()
  const beganMs = performance.now()
  return () => {
    const seconds = (performance.now() - beganMs) / 1_000
    const percentOf = (now, was) => ((now - was) / ticksPerSecond / seconds) * 100
    const after = readProcesses()
    const machine = machineTicks()
    const roleFor = (pid, name) => {
      if (isBelow(after, pid, appPid)) return roleOf(pid, name)
      if (name === 'Xvfb') return 'display'
      if (isBelow(after, pid, serverPid)) return 'server'
      if (pid === process.pid) return 'benchmark'
      return isBelow(after, pid, process.pid) ? 'writer' : undefined
    }
    const lines = []
    for (const [pid, { name, ticks, threads }] of after) {
      const was = before.get(pid)
      const role = roleFor(pid, name)
      const percent = percentOf(ticks, was?.ticks ?? 0)
      if (role === undefined || percent < shownPercentMin) continue
      const parts = [...threads]
        .map(([id, thread]) => ({
          name: thread.name,
          percent: percentOf(thread.ticks, was?.threads.get(id)?.ticks ?? 0),
        }))
        .filter((thread) => thread.percent >= shownPercentMin)
        .sort((left, right) => right.percent - left.percent)
      lines.push({ role, percent, parts })
    }
    lines.sort((left, right) => right.percent - left.percent)
    const share = (machine.busy - machineBefore.busy) / (machine.total - machineBefore.total)
    return { lines, machinePercent: share * cpus().length * 100, cores: cpus().length }
  }
}

/** One line of text for each process, with its threads. */
export function processorLines({ lines, machinePercent, cores }) {
  const percent = (value) => `${Math.round(value)} %`
  return [
    `processor, in percent of one core; the machine ${percent(machinePercent)} of ${cores * 100}`,
    ...lines.map(({ role, percent: all, parts }) => {
      const threads = parts.slice(0, 6).map((one) => `${one.name} ${percent(one.percent)}`)
      return `  ${role} ${percent(all)}${parts.length > 1 ? `: ${threads.join(', ')}` : ''}`
    }),
  ]
}
