/**
 * `npm run check`: everything that is judged without running the product. Runs each `check:...` script of package.json,
 * two at a time in the order they stand there (the longest first, so that none is left over at the end). The output of each
 * is kept apart and told when it has ended, and all failures are told, not only the first.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './dependencies.mjs'

const atOnceCount = 2
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
/** Programs that hold the types of everything spend a fifth of their time on collecting garbage, if they are given little room. */
const nodeOptions = `${process.env.NODE_OPTIONS ?? ''} --max-semi-space-size=64`.trim()
const say = (line) => process.stdout.write(`${line}\n`)

const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'))
const waiting = Object.keys(scripts).filter((name) => name.startsWith('check:'))
const failed = []

/** Runs one check to its end. Resolves in any case; what failed is in the list. */
function run(name) {
  const startMs = performance.now()
  const output = []
  return new Promise((resolve) => {
    const child = spawn(npm, ['run', '--silent', name], {
      cwd: projectRoot,
      env: { ...process.env, NODE_OPTIONS: nodeOptions },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    })
    const end = (isPassed) => {
      if (!isPassed) failed.push(name)
      const seconds = Math.round((performance.now() - startMs) / 1000)
      say(`--- ${name}: ${isPassed ? 'passed' : 'FAILED'} in ${seconds} s`)
      process.stdout.write(Buffer.concat(output))
      resolve()
    }
    child.stdout.on('data', (chunk) => output.push(chunk))
    child.stderr.on('data', (chunk) => output.push(chunk))
    child.once('error', (error) => {
      output.push(Buffer.from(`${error.message}\n`))
      end(false)
    })
    child.once('close', (code) => {
      if (child.pid !== undefined) end(code === 0)
    })
  })
}

async function runInTurn() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await run(name)
}

await Promise.all(Array.from({ length: atOnceCount }, runInTurn))
if (failed.length > 0) {
  say(`failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
