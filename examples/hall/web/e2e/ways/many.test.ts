import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Page } from 'playwright-core'

import { dropFolder } from '../support/drop'
import type { Hall } from '../support/hall'
import { expect, PASSWORD, test } from '../support/test'
import { look, say, saying } from '../support/words'
import { namesInZip } from '../support/zip'

const FILES = ['a.txt', 'b.txt', 'c.txt', 'd.txt']

/** Ada's drive with files and two folders. */
async function fill(hall: Hall) {
  hall.addAccount('ada')
  const headers = { authorization: `Bearer ${hall.run(['token', 'add', '--account', 'ada'])}` }
  const api = `${hall.base}/api/v1`
  const drives = await (await fetch(`${api}/drives`, { headers })).json()
  const root = `${api}/nodes/${drives.items[0].root}`
  for (const name of FILES) {
    await fetch(`${root}/children/${name}`, { method: 'PUT', headers, body: name })
  }
  const json = { ...headers, 'content-type': 'application/json' }
  for (const name of ['Target', 'Other']) {
    const body = JSON.stringify({ name, kind: 'folder' })
    await fetch(`${root}/children`, { method: 'POST', headers: json, body })
  }
  return { headers, root, api }
}

const link = (page: Page, name: string) => page.getByRole('link', { name, exact: true })
const check = (page: Page, name: string) =>
  page.getByRole('checkbox', { name: say('drive.selectOf', { name }) })
const names = (page: Page) => page.locator('.row-link').allInnerTexts()

test('several entries are chosen by box, shift and keys, deleted together and brought back', async ({
  hall,
  arrive,
}) => {
  await fill(hall)
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await check(page, 'a.txt').click()
  await check(page, 'c.txt').click({ modifiers: ['Shift'] })
  await page.getByText(say('drive.selected', { count: 3 })).waitFor()
  await link(page, 'b.txt').click({ modifiers: ['Control'] })
  await page.getByText(say('drive.selected', { count: 2 })).waitFor()
  await page
    .getByRole('toolbar')
    .getByRole('button', { name: say('drive.delete') })
    .click()
  await page.getByText(say('drive.deletedMany', { count: 2 })).waitFor()
  expect(await names(page)).toEqual(['b.txt', 'd.txt', 'Other', 'Target'])
  await page.getByRole('button', { name: say('drive.undo') }).click()
  await link(page, 'a.txt').waitFor()

  await link(page, 'b.txt').focus()
  await page.keyboard.press('Control+a')
  await page.getByText(say('drive.selected', { count: 6 })).waitFor()
  await page.keyboard.press('Escape')
  await page.getByText(say('drive.selected', { count: 6 })).waitFor({ state: 'detached' })
  await page.keyboard.press('Space')
  await page.getByText(say('drive.selected', { count: 1 })).waitFor()
  await page.keyboard.press('Shift+ArrowDown')
  await page.getByText(say('drive.selected', { count: 2 })).waitFor()
})

test('a folder, and all that is chosen, are downloaded as one archive', async ({ hall, arrive }) => {
  await fill(hall)
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await check(page, 'a.txt').click()
  await check(page, 'Other').click()
  const button = page.getByRole('toolbar').getByRole('button', { name: say('drive.download') })
  const [chosen] = await Promise.all([page.waitForEvent('download'), button.click()])
  expect(chosen.suggestedFilename()).toBe('selection.zip')
  const names = namesInZip(await readFile(await chosen.path()))
  expect(names.sort()).toEqual(['Other/', 'a.txt'])
  await check(page, 'a.txt').click()
  const [folder] = await Promise.all([page.waitForEvent('download'), button.click()])
  expect(folder.suggestedFilename()).toBe('Other.zip')
})

test('entries are moved and copied into folders by a dialog, with the keyboard alone', async ({
  hall,
  arrive,
}) => {
  await fill(hall)
  const person = await arrive()
  // The second copy finds its name taken.
  person.expectStatus(409)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  const dialog = page.getByRole('dialog')
  for (const [action, go] of [
    [say('drive.copy'), say('drive.copyHere')],
    [say('drive.copy'), say('drive.copyHere')],
    [say('drive.move'), say('drive.moveHere')],
  ] as const) {
    await check(page, 'a.txt').press('Space')
    if (action === say('drive.move')) await check(page, 'a.txt').press('Space')
    if (action === say('drive.move')) await check(page, 'b.txt').press('Space')
    await page.getByRole('toolbar').getByRole('button', { name: action }).press('Enter')
    await dialog.getByRole('button', { name: 'Target' }).press('Enter')
    await dialog.getByText(say('drive.noFolders')).waitFor()
    await dialog.getByRole('button', { name: go }).press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    await page.keyboard.press('Escape')
    if (action === say('drive.copy')) await check(page, 'a.txt').press('Space')
  }
  await link(page, 'b.txt').waitFor({ state: 'detached' })
  await link(page, 'Target').click()
  await link(page, 'b.txt').waitFor()
  expect(await names(page)).toEqual(['a (2).txt', 'a.txt', 'b.txt'])
})

test('entries are dragged into a folder and up the path', async ({ hall, arrive }) => {
  await fill(hall)
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await check(page, 'a.txt').click()
  await check(page, 'b.txt').click()
  await link(page, 'a.txt').dragTo(page.getByRole('row', { name: 'Target' }))
  await page.getByText(say('drive.moved', { count: 2 })).waitFor()
  await link(page, 'Target').click()
  await link(page, 'b.txt').waitFor()
  await link(page, 'a.txt').dragTo(
    page.getByRole('navigation', { name: say('drive.path') }).getByRole('link'),
  )
  await page.getByText(say('drive.moved', { count: 1 })).waitFor()
  await link(page, 'a.txt').waitFor({ state: 'detached' })
  expect(await names(page)).toEqual(['b.txt'])
})

test('details tell the hash and bring an earlier version back', async ({ hall, arrive }) => {
  const { root, headers } = await fill(hall)
  await fetch(`${root}/children/a.txt`, { method: 'PUT', headers, body: 'another content' })
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('row', { name: 'a.txt' }).click({ button: 'right' })
  await page.getByRole('menuitem', { name: say('drive.details') }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText(say('drive.bytes', { size: '15 B', bytes: 15 })).waitFor()
  await dialog.getByText(/^[0-9a-f]{64}$/).waitFor()
  await dialog.getByText(say('drive.notShared')).waitFor()
  await dialog.getByRole('button', { name: saying('drive.restoreVersionOf', { time: '.+' }) }).click()
  await dialog.getByText(say('drive.bytes', { size: '5 B', bytes: 5 })).waitFor()
  expect(await (await fetch(`${root}/children/a.txt`, { headers })).json()).toMatchObject({ size: 5 })
})

test('a folder is filtered by kind, and files are found by a part of their names', async ({
  hall,
  arrive,
}) => {
  const { root, headers } = await fill(hall)
  await fetch(`${root}/children/Photo.jpg`, { method: 'PUT', headers, body: 'jpg' })
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByLabel(say('drive.kind')).selectOption(say('drive.categories.image'))
  await link(page, 'a.txt').waitFor({ state: 'detached' })
  await link(page, 'Photo.jpg').waitFor()
  await page.getByLabel(say('drive.searchFor')).fill('HOTO')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: say('drive.results', { query: 'HOTO' }) }).waitFor()
  await page.getByRole('listitem').filter({ hasText: 'Photo.jpg' }).waitFor()
  await page.getByRole('link', { name: 'Photo.jpg', exact: true }).press('Enter')
  await page.getByText(say('preview.failed')).waitFor()
  await page.keyboard.press('Escape')
  await page.getByLabel(say('drive.kind')).selectOption(say('drive.categories.audio'))
  await page.getByText(say('drive.noResults', { query: 'HOTO' })).waitFor()
})

const ways = [
  {
    way: 'chosen',
    pick: (page: Page, folder: string) => page.locator('.folder-input').setInputFiles(folder),
  },
  {
    way: 'dropped',
    pick: (page: Page, folder: string) => dropFolder(page, folder, { x: look.viewport.width / 2, y: 500 }),
  },
]

test.for(ways)(
  'a whole folder that is $way is uploaded with its folders',
  async ({ pick }, { hall, arrive }) => {
    hall.addAccount('ada')
    const folder = mkdtempSync(join(tmpdir(), 'hall-page-folder-'))
    mkdirSync(join(folder, 'Project', 'docs'), { recursive: true })
    writeFileSync(join(folder, 'Project', 'readme.md'), '# read me')
    writeFileSync(join(folder, 'Project', 'docs', 'plan.txt'), 'plan')
    const person = await arrive()
    const { page } = person
    await person.signIn('ada', PASSWORD)
    await page.getByText(say('drive.empty')).waitFor()
    await pick(page, join(folder, 'Project'))
    await page.getByText(say('transfers.allDone')).waitFor()
    rmSync(folder, { recursive: true })
    await link(page, 'Project').click()
    await link(page, 'readme.md').waitFor()
    await link(page, 'docs').click()
    await link(page, 'plan.txt').waitFor()
  },
)

test('who uploads a name that is taken chooses what happens', async ({ hall, arrive }) => {
  const { root, headers } = await fill(hall)
  const person = await arrive()
  person.expectStatus(409)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await link(page, 'a.txt').waitFor()
  const again = (text: string) => ({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from(text) })
  const input = page.locator('input[type=file][multiple]')
  await input.setInputFiles(again('kept beside'))
  await page.getByRole('button', { name: say('transfers.keepBoth') }).click()
  await link(page, 'a (2).txt').waitFor()
  await input.setInputFiles(again('a new version'))
  await page.getByRole('button', { name: say('transfers.replace') }).click()
  await page.getByText(say('transfers.allDone')).waitFor()
  const now = await fetch(`${root}/children/a.txt`, { headers })
  expect(await now.json()).toMatchObject({ size: 'a new version'.length })
})
