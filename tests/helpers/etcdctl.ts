/** Calls Debian's etcdctl, as a user would, and gives back what it printed. */
import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'

export interface EtcdctlResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface EtcdctlOptions {
  readonly endpoints: string
  /** Path of another release than the one on the PATH. */
  readonly program?: string
  /** Text for standard input, which is closed after it. */
  readonly input?: string
  /** Lines typed one after the other, half a second apart, into an input that stays open. */
  readonly typedLines?: readonly string[]
  /** Ends the program by SIGINT once it has printed this many lines (or has been silent for five seconds). */
  readonly lineCountMax?: number
}

/** How long a command may take. */
const timeoutMs = 20_000

/** Runs one command with the API of version 3. */
export function etcdctl(words: readonly string[], options: EtcdctlOptions): Promise<EtcdctlResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      options.program ?? 'etcdctl',
      [`--endpoints=${options.endpoints}`, ...words],
      {
        env: { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' },
      },
    )
    let stdout = ''
    let stderr = ''
    const interrupt = (): void => {
      child.kill('SIGINT')
    }
    const timer = setTimeout(interrupt, options.lineCountMax === undefined ? timeoutMs : 5_000)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const lineCount = stdout.split('\n').length - 1
      if (options.lineCountMax !== undefined && lineCount >= options.lineCountMax) interrupt()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout, stderr })
    })
    child.stdin.on('error', () => undefined)
    if (options.typedLines === undefined) child.stdin.end(options.input ?? '')
    else type(child.stdin, options.typedLines)
  })
}

function type(input: Writable, lines: readonly string[]): void {
  const [first, ...others] = lines
  if (first === undefined || !input.writable) return
  input.write(`${first}\n`)
  setTimeout(() => {
    type(input, others)
  }, 500)
}
