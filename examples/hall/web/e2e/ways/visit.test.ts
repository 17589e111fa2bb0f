import { readFile } from 'node:fs/promises'

import { expect, PASSWORD, test, type Person } from '../support/test'
import { say } from '../support/words'
import { namesInZip } from '../support/zip'
import type { Hall } from '../support/hall'

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
  expect(await downloaded(person, say('visit.download'))).toBe('hello')
})

test('a visitor takes all of a shared folder home at once', async ({ hall, arrive }) => {
  const share = await shares(hall)
  const { page } = await arrive()
  await page.goto(await share('folder', {}))
  const link = page.getByRole('link', { name: say('visit.downloadAll') })
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  expect(download.suggestedFilename()).toBe('Lectures.zip')
  expect(namesInZip(await readFile(await download.path()))).toEqual(['Lectures/', 'Lectures/notes.txt'])
})

test('a visitor needs the password of a share that has one', async ({ hall, arrive }) => {
  const share = await shares(hall)
  const person = await arrive()
  person.expectStatus(403)
  const { page } = person
  await page.goto(await share('folder', { password: 'open sesame' }))
  await page.getByLabel(say('visit.password')).fill('wrong')
  await page.getByRole('button', { name: say('visit.open') }).click()
  await page.getByText(say('problem.kind.wrong_password')).waitFor()
  await page.getByLabel(say('visit.password')).fill('open sesame')
  await page.getByRole('button', { name: say('visit.open') }).click()
  expect(await downloaded(person, 'notes.txt')).toBe('hello')
})

test('a visitor hands files in and sees none of what is there', async ({ hall, arrive }) => {
  const share = await shares(hall)
  const person = await arrive()
  const { page } = person
  await page.goto(await share('folder', { drop: true, password: 'open sesame' }))
  await page.getByLabel(say('visit.password')).fill('open sesame')
  await page.getByRole('button', { name: say('visit.open') }).click()
  await page.getByText(say('visit.drop')).waitFor()
  const file = (name: string, text: string) => ({
    name,
    mimeType: 'text/plain',
    buffer: Buffer.from(text),
  })
  // One of these names is taken already: nothing is replaced.
  const files = [file('essay.txt', 'by Grace'), file('notes.txt', 'mine'), file('empty.txt', '')]
  await page.locator('input[type=file][multiple]').setInputFiles(files)
  await page.getByText(say('visit.allSent', { count: 3 })).waitFor({ state: 'attached' })
  expect(await page.getByText(say('visit.sent'), { exact: true }).count()).toBe(3)

  const headers = { authorization: `Bearer ${hall.run(['token', 'add', '--account', 'ada'])}` }
  const found = await (await fetch(`${hall.base}/api/v1/search?q=.txt`, { headers })).json()
  const names = (found as { items: { name: string }[] }).items.map(({ name }) => name)
  expect(names.sort()).toEqual(['empty.txt', 'essay.txt', 'notes (2).txt', 'notes.txt'])
})

test('who is signed in saves what is shared to their own drive', async ({ hall, arrive }) => {
  const share = await shares(hall)
  hall.addAccount('grace')
  const person = await arrive()
  const { page } = person
  await person.signIn('grace', PASSWORD)
  await page.goto(await share('folder', {}))
  await page.getByRole('button', { name: say('visit.save') }).press('Enter')
  await page.getByText(say('visit.saved')).waitFor()
  await page.getByRole('link', { name: say('visit.toDrive') }).click()
  await page.getByRole('link', { name: 'Lectures' }).click()
  await page.getByRole('link', { name: 'notes.txt' }).click()
  await page.getByRole('region', { name: 'notes.txt' }).getByText('hello').waitFor()
})

test('a dead link tells nothing', async ({ arrive }) => {
  const person = await arrive()
  person.expectStatus(404)
  const answer = await person.page.goto('s/0123456789abcdef0123456789abcdef')
  expect(answer?.status()).toBe(404)
  await person.page.getByRole('heading', { name: say('visit.over') }).waitFor()
})
