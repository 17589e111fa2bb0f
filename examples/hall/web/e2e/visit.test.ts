import { readFile } from 'node:fs/promises'

import { expect, test, type Person } from './support/test'
import type { Hall } from './support/hall'

/** A file in a folder of Ada's, and the links to what she shares of them. */
async function shares(hall: Hall) {
  hall.addAccount('ada')
  const headers = { authorization: `Bearer ${hall.run(['token', 'add', '--account', 'ada'])}` }
  const json = { ...headers, 'content-type': 'application/json' }
  const api = `${hall.base}/api/v1`
  const ask = async (path: string, init: RequestInit) =>
    (await fetch(`${api}${path}`, { headers, ...init })).json()
  const { items } = (await ask('/drives', {})) as { items: { root: string }[] }
  const make = { method: 'POST', headers: json, body: JSON.stringify({ name: 'Lectures', kind: 'folder' }) }
  const folder = (await ask(`/nodes/${items[0]?.root}/children`, make)) as { id: string }
  const file = (await ask(`/nodes/${folder.id}/children/notes.txt`, { method: 'PUT', body: 'hello' })) as {
    id: string
  }
  return async (what: 'file' | 'folder', conditions: object) => {
    const id = what === 'file' ? file.id : folder.id
    const init = { method: 'POST', headers: json, body: JSON.stringify(conditions) }
    const { token } = (await ask(`/nodes/${id}/shares`, init)) as { token: string }
    return `s/${token}`
  }
}

async function downloaded({ page }: Person, name: string) {
  const link = page.getByRole('link', { name })
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  return readFile(await download.path(), 'utf8')
}

test('a visitor downloads a shared file', async ({ hall, arrive }) => {
  const share = await shares(hall)
  const person = await arrive()
  await person.page.goto(await share('file', {}))
  await person.page.getByRole('heading', { name: 'notes.txt' }).waitFor()
  expect(await downloaded(person, 'Download')).toBe('hello')
})

test('a visitor needs the password of a share that has one', async ({ hall, arrive }) => {
  const share = await shares(hall)
  const person = await arrive()
  person.expectStatus(403)
  const { page } = person
  await page.goto(await share('folder', { password: 'open sesame' }))
  await page.getByLabel('Password').fill('wrong')
  await page.getByRole('button', { name: 'Open' }).click()
  await page.getByText('The password is wrong.').waitFor()
  await page.getByLabel('Password').fill('open sesame')
  await page.getByRole('button', { name: 'Open' }).click()
  expect(await downloaded(person, 'notes.txt')).toBe('hello')
})

test('a dead link tells nothing', async ({ arrive }) => {
  const person = await arrive()
  person.expectStatus(404)
  const answer = await person.page.goto('s/0123456789abcdef0123456789abcdef')
  expect(answer?.status()).toBe(404)
  await person.page.getByRole('heading', { name: 'This link leads nowhere' }).waitFor()
})
