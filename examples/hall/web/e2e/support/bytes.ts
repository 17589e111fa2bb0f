import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Page } from 'playwright-core'

import { PASSWORD, type Hall } from './hall'

const sha256 = (bytes: Buffer | ArrayBuffer) =>
  createHash('sha256').update(new Uint8Array(bytes)).digest('hex')

/** A file of random bytes beside a hall's data, as a person would choose it. */
export function randomFile(hall: Hall, name: string, length: number) {
  const folder = join(hall.folder, `of the person ${readdirSync(hall.folder).length}`)
  mkdirSync(folder)
  const path = join(folder, name)
  writeFileSync(path, randomBytes(length))
  return { path, sha256: sha256(readFileSync(path)) }
}

/** Lets a page send so many bytes in a second, or as many as it can. */
export async function throttle(page: Page, uploadBytes = -1): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Network.enable')
  await devtools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: uploadBytes,
  })
}

/** The SHA-256 of what lies in the own drive, by name; asked past the page. */
export async function stored(hall: Hall, username: string): Promise<Record<string, string>> {
  const session = await fetch(`${hall.base}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: PASSWORD }),
  })
  const headers = { cookie: session.headers.getSetCookie()[0]?.split(';')[0] ?? '' }
  const items = async (path: string) =>
    ((await (await fetch(`${hall.base}/api/v1/${path}`, { headers })).json()) as { items: unknown[] }).items
  const [drive] = (await items('drives')) as { root: string }[]
  const nodes = (await items(`nodes/${drive?.root}/children`)) as { id: string; name: string }[]
  const sums = nodes.map(async ({ id, name }) => {
    const content = await fetch(`${hall.base}/api/v1/nodes/${id}/content`, { headers })
    return [name, sha256(await content.arrayBuffer())]
  })
  return Object.fromEntries(await Promise.all(sums))
}
