import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core'

import { showLocalBuild } from './local-build'
import { look, region } from './words'

/** Where screenshots go, for people to look at. */
const SHOTS = process.env.CAMPUSDISK_SHOTS ?? join(process.cwd(), 'shots')

export async function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--disable-gpu',
      // A name that leads to halls here and that no browser trusts without https.
      '--host-resolver-rules=MAP hall.example 127.0.0.1',
      // Else it is asked whether such a page may reach this machine.
      '--ip-address-space-overrides=127.0.0.1:0=public',
    ],
  })
}

/** A person at a browser of their own. What the console complains about is kept, and is a failure. */
export class Person {
  private readonly complaints: string[] = []
  /** Complaints that the test means to provoke. */
  private readonly expected: RegExp[] = []

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  static async arrive(browser: Browser, base: string, options: BrowserContextOptions = {}): Promise<Person> {
    const context = await browser.newContext({
      baseURL: `${base}/`,
      viewport: look.viewport,
      locale: region,
      timezoneId: 'Asia/Shanghai',
      ...options,
    })
    context.setDefaultTimeout(15_000)
    if (process.env.CAMPUSDISK_PAGE_DIST) await showLocalBuild(context, process.env.CAMPUSDISK_PAGE_DIST)
    const person = new Person(context, await context.newPage())
    person.watch(person.page)
    return person
  }

  /** Refusals with this status are part of the test; a browser reports each on its console. */
  expectStatus(status: number): void {
    this.expected.push(new RegExp(`status of ${status}`))
  }

  expectComplaint(complaint: RegExp): void {
    this.expected.push(complaint)
  }

  /** Ends the visit. Complaints of the console, breaches of the policy among them, are a failure. */
  async leave(): Promise<void> {
    await this.context.close()
    const unexpected = this.complaints.filter(
      (text) => !this.expected.some((expected) => expected.test(text)),
    )
    if (unexpected.length > 0) throw new Error(`the console says:\n${unexpected.join('\n')}`)
  }

  async signIn(username: string, password: string): Promise<void> {
    await this.page.goto('sign-in')
    await this.page.locator('input[autocomplete=username]').fill(username)
    await this.page.locator('input[autocomplete=current-password]').fill(password)
    await this.page.locator('button[type=submit]').click()
    await this.page.waitForURL('**/drive')
  }

  /** Takes a picture of the page as it is. */
  async shoot(name: string): Promise<void> {
    mkdirSync(SHOTS, { recursive: true })
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`), animations: 'disabled' })
  }

  private watch(page: Page): void {
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        this.complaints.push(`${message.text()} (${message.location().url})`)
      }
    })
    page.on('pageerror', (error) => this.complaints.push(`${error.stack ?? error}`))
    page.on('request', (request) => {
      const { protocol, host } = new URL(request.url())
      const here = new URL(page.url()).host
      if (protocol.startsWith('http') && here && host !== here) this.complaints.push(`asked ${request.url()}`)
    })
  }
}
