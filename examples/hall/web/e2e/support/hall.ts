import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { Ground } from './ground'

/** Settings under which tests don't wait. */
const QUICK = `
[accounts]
argon2_memory_kib = 64
argon2_passes = 1

[policy]
purge_delay_seconds = 0
sweep_period_ms = 200
`

export const PASSWORD = 'a password of tests'

/** A hall as a process of its own, on a folder of its own. */
export class Hall {
  readonly folder = mkdtempSync(join(tmpdir(), 'hall-page-'))
  private child: ChildProcess | undefined
  /** How much everybody else goes first. */
  private niceness = 0
  /** Where it listens, with its prefix. */
  base = ''
  /** The link that makes the first administrator. */
  setupLink: string | undefined

  private readonly ground: Ground

  private constructor(config: string) {
    this.ground = new Ground(config)
    writeFileSync(join(this.folder, 'hall.toml'), config)
  }

  static async start(config = QUICK): Promise<Hall> {
    const hall = new Hall(config)
    await hall.serve()
    return hall
  }

  /** Serves (again); on the same port where it had one, so that a page that is open finds it. */
  async serve(): Promise<void> {
    const listen = this.base ? new URL(this.base).host : '127.0.0.1:0'
    const log = openSync(join(this.folder, 'hall.log'), 'a')
    const serve = [binary(), 'serve', '--listen', listen, ...this.place()]
    const child = spawn('nice', ['-n', `${this.niceness}`, ...serve], {
      stdio: ['ignore', 'pipe', log],
      env: this.environment(),
    })
    this.child = child
    this.setupLink = undefined
    for await (const line of createInterface({ input: child.stdout as Readable })) {
      const [, what, link] = /^(setup|listening on) (.*)$/.exec(line) ?? []
      if (what === 'setup') this.setupLink = link
      if (what === 'listening on' && link) {
        this.base = link
        return
      }
    }
    throw new Error(`the hall did not start: ${this.log()}`)
  }

  /** Serves with what the browser leaves of the processors, as if from a machine of its own: what is measured is the page. */
  async stepBack(): Promise<void> {
    await this.kill()
    this.niceness = 10
    await this.serve()
  }

  /** Ends it as a lost machine would. */
  async kill(): Promise<void> {
    const child = this.child
    this.child = undefined
    if (!child || child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async remove(): Promise<void> {
    await this.kill()
    this.ground.remove()
    rmSync(this.folder, { recursive: true, force: true })
  }

  log(): string {
    return readFileSync(join(this.folder, 'hall.log'), 'utf8')
  }

  /** Runs a command of the hall on the same data. */
  run(args: string[], input = ''): string {
    const { status, stdout, stderr } = spawnSync(binary(), [...args, ...this.place()], {
      input,
      encoding: 'utf8',
      env: this.environment(),
    })
    if (status !== 0) throw new Error(`hall ${args.join(' ')}: ${stdout}${stderr}`)
    return stdout.trim()
  }

  addAccount(name: string, ...flags: string[]): void {
    this.run(['account', 'add', name, ...flags], `${PASSWORD}\n`)
  }

  private environment(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.ground.variables }
  }

  private place(): string[] {
    return ['--config', join(this.folder, 'hall.toml'), '--data', join(this.folder, 'data')]
  }
}

function binary(): string {
  const path = process.env.CAMPUSDISK_HALL_BIN
  if (!path || !existsSync(path)) {
    throw new Error('CAMPUSDISK_HALL_BIN names no program: build one with `cargo build -p hall`')
  }
  return path
}
