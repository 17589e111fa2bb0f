import { createHash } from 'node:crypto'
import { Agent, request } from 'node:http'

import type { Hall } from './hall'

/** So many requests are asked at once where many are to be made. */
const AT_ONCE = 48

/** Somebody's own drive, asked past the page with a token of theirs. */
export class OwnDrive {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })

  private constructor(
    private readonly api: string,
    private readonly authorization: string,
    readonly root: string,
  ) {}

  static async of(hall: Hall, username: string): Promise<OwnDrive> {
    const authorization = `Bearer ${hall.run(['token', 'add', '--account', username])}`
    const api = `${hall.base}/api/v1`
    const drives = await (await fetch(`${api}/drives`, { headers: { authorization } })).json()
    return new OwnDrive(api, authorization, (drives as { items: { root: string }[] }).items[0]?.root ?? '')
  }

  /** The answer to a request that is not refused. */
  async ask<T>(path: string, method = 'GET', body?: object | string): Promise<T> {
    const isText = typeof body === 'string'
    const headers = {
      authorization: this.authorization,
      ...(isText ? {} : { 'content-type': 'application/json' }),
    }
    const sent = body === undefined || isText ? body : JSON.stringify(body)
    const answer = await fetch(`${this.api}/${path}`, { method, headers, body: sent })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return (text ? JSON.parse(text) : undefined) as T
  }

  /** Makes a folder; gives its id. */
  async makeFolder(name: string, parent = this.root): Promise<string> {
    return (await this.ask<{ id: string }>(`nodes/${parent}/children`, 'POST', { name, kind: 'folder' })).id
  }

  /** Puts a file into a folder; gives its id. */
  async put(name: string, content: string, parent = this.root): Promise<string> {
    const path = `nodes/${parent}/children/${encodeURIComponent(name)}`
    return (await this.ask<{ id: string }>(path, 'PUT', content)).id
  }

  /** The SHA-256 of what a file holds. */
  async sha256(id: string): Promise<string> {
    const { authorization } = this
    const answer = await fetch(`${this.api}/nodes/${id}/content`, { headers: { authorization } })
    return createHash('sha256')
      .update(new Uint8Array(await answer.arrayBuffer()))
      .digest('hex')
  }

  /** All entries of a list, page by page. */
  async all<T>(path: string): Promise<T[]> {
    const found: T[] = []
    let after: string | null = ''
    do {
      const query: string = `${path}${path.includes('?') ? '&' : '?'}limit=1000${after ? `&after=${after}` : ''}`
      const page: { items: T[]; next: string | null } = await this.ask(query)
      found.push(...page.items)
      after = page.next
    } while (after)
    return found
  }

  /** Fills a folder with so many small files, many at once. */
  async fill(folder: string, names: string[]): Promise<void> {
    let next = 0
    const worker = async () => {
      while (next < names.length) await this.putSmall(folder, names[next++] ?? '')
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    this.agent.destroy()
  }

  /** As `put`, with less work for each: a hundred thousand of them count. */
  private putSmall(folder: string, name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const address = `${this.api}/nodes/${folder}/children/${encodeURIComponent(name)}`
      const headers = { authorization: this.authorization, 'content-length': 1 }
      const put = request(address, { agent: this.agent, method: 'PUT', headers }, (answer) => {
        answer.resume()
        answer.once('end', () =>
          answer.statusCode === 201 ? resolve() : reject(new Error(`PUT ${name}: ${answer.statusCode}`)),
        )
      })
      put.once('error', reject)
      put.end('x')
    })
  }
}
