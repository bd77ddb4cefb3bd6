/** A server as a child process: its lines, its end, its signals. Nothing outlives the test that started it. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'

export interface ServerProcessOptions {
  readonly args: readonly string[]
  /** The whole environment of the child. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** How a process ended. */
export interface ServerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class ServerProcess {
  /** Lines of both streams, in the order of arrival. */
  readonly lines: string[] = []
  readonly exited: Promise<ServerExit>
  readonly startedMs = performance.now()
  private readonly child: ChildProcessByStdio<null, Readable, Readable>
  private readonly watchers = new Set<() => void>()
  private exit: ServerExit | undefined
  private output = ''
  private errors = ''

  constructor(program: string, options: ServerProcessOptions) {
    this.child = spawn(program, [...options.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...(options.env ?? { PATH: process.env['PATH'] ?? '' }) },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    this.collect(this.child.stdout, (text) => (this.output += text))
    this.collect(this.child.stderr, (text) => (this.errors += text))
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code, signal) => {
        this.exit = { code, signal }
        for (const look of this.watchers) look()
        resolve(this.exit)
      })
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  get hasExited(): boolean {
    return this.exit !== undefined
  }

  get stdout(): string {
    return this.output
  }

  get stderr(): string {
    return this.errors
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  /** Resolves with the first line that contains the text, or rejects with all lines when the process ends before. */
  async waitForLine(text: string, timeoutMs = 30_000): Promise<string> {
    const find = (): string | undefined => this.lines.find((line) => line.includes(text))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        finish()
        reject(new Error(`no "${text}" within ${timeoutMs} ms in:\n${this.lines.join('\n')}`))
      }, timeoutMs)
      const finish = (): void => {
        clearTimeout(timer)
        this.watchers.delete(look)
      }
      const look = (): void => {
        const line = find()
        if (line !== undefined) {
          finish()
          resolve(line)
        } else if (this.hasExited) {
          finish()
          reject(new Error(`ended before "${text}":\n${this.lines.join('\n')}`))
        }
      }
      this.watchers.add(look)
      look()
    })
  }

  /** Ends the process however it is and waits for its end. */
  async kill(): Promise<void> {
    if (!this.hasExited) this.child.kill('SIGKILL')
    await this.exited
  }

  private collect(stream: Readable, keep: (text: string) => void): void {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      keep(text)
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      this.lines.push(...lines)
      for (const look of this.watchers) look()
    })
    stream.on('end', () => {
      if (rest !== '') this.lines.push(rest)
    })
  }
}
