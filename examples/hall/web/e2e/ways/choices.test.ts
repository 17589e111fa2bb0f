import { basename, dirname } from 'node:path'

import { randomFile, stored, throttle } from '../support/bytes'
import type { Hall } from '../support/hall'
import { OwnDrive } from '../support/own-drive'
import { expect, PASSWORD, test, type Person } from '../support/test'
import { say, saying } from '../support/words'
import { chooser, done, MB, underWay } from '../support/transfers'

/** Ada with a `lecture.mp4` in her drive, and the line slow from now on. */
async function withLecture(hall: Hall, person: Person) {
  hall.addAccount('ada')
  const drive = await OwnDrive.of(hall, 'ada')
  await drive.put('lecture.mp4', 'an earlier one')
  await person.signIn('ada', PASSWORD)
  await throttle(person.page, 6 * MB)
  return drive
}

test('a choice for a taken name holds after a reload', async ({ hall, arrive }) => {
  const person = await arrive()
  person.expectStatus(409)
  const { page } = person
  await withLecture(hall, person)
  const file = randomFile(hall, 'lecture.mp4', 24 * MB)
  await chooser(person).setInputFiles(file.path)
  await page.getByRole('button', { name: say('transfers.replace') }).click()
  await underWay(person)
  await page.reload()
  await page.locator('.transfer-row.unfinished').waitFor()
  await throttle(page)
  await chooser(person).setInputFiles(file.path)
  await done(person, 'lecture.mp4')
  expect(await page.locator('.transfer-row').count()).toBe(1)
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
})

test('a file of a picked folder keeps its place when it goes on after a reload', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await throttle(page, 6 * MB)
  const file = randomFile(hall, 'lecture.mp4', 24 * MB)
  await page.locator('input.folder-input').setInputFiles(dirname(file.path))
  await underWay(person)
  await page.reload()
  const row = page.locator('.transfer-row.unfinished', { hasText: '/lecture.mp4' })
  await row.waitFor()
  await throttle(page)
  const resumed = page.waitForRequest((request) => request.method() === 'PATCH')
  await row.locator('input[type=file]').setInputFiles(file.path)
  expect(Number((await resumed).headers()['upload-offset'])).toBeGreaterThan(0)
  await done(person, 'lecture.mp4')
  await page.getByRole('link', { name: basename(dirname(file.path)) }).click()
  await page.getByRole('link', { name: 'lecture.mp4' }).waitFor()
})

test('what was sent for a name that was taken meanwhile is given up on the hall, and the file sent as was chosen', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  const drive = await OwnDrive.of(hall, 'ada')
  const person = await arrive()
  person.expectStatus(409)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await throttle(page, 6 * MB)
  const file = randomFile(hall, 'lecture.mp4', 12 * MB)
  await chooser(person).setInputFiles(file.path)
  await underWay(person)
  await drive.put('lecture.mp4', 'somebody was quicker')
  await throttle(page)
  await page.getByRole('button', { name: say('transfers.keepBoth') }).waitFor()
  const begun = await drive.all('uploads')
  await page.getByRole('button', { name: say('transfers.keepBoth') }).click()
  await done(person, 'lecture.mp4')
  expect(begun).toHaveLength(1)
  expect(await drive.all('uploads')).toEqual([])
  expect((await stored(hall, 'ada'))['lecture (2).mp4']).toBe(file.sha256)
})

test('names that are taken are skipped all at once, and what is there stays', async ({ hall, arrive }) => {
  const person = await arrive()
  person.expectStatus(409)
  const { page } = person
  const drive = await withLecture(hall, person)
  await drive.put('notes.txt', 'an earlier one')
  const file = (name: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from('new') })
  await chooser(person).setInputFiles([file('lecture.mp4'), file('notes.txt'), file('fresh.txt')])
  await page.getByRole('button', { name: say('transfers.skipAll') }).click()
  await page
    .getByText(saying('transfers.skipped', { size: '\\d+ B' }))
    .first()
    .waitFor()
  await page.getByRole('link', { name: 'fresh.txt', exact: true }).waitFor()
  const nodes = await drive.all<{ name: string; size: number }>(`nodes/${drive.root}/children`)
  expect(nodes.map(({ name, size }) => [name, size])).toEqual([
    ['fresh.txt', 3],
    ['lecture.mp4', 14],
    ['notes.txt', 14],
  ])
})

test('without https too, two windows never send one upload, and the second takes over', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  // The name leads here, and is none that browsers trust without https.
  const base = hall.base.replace('127.0.0.1', 'hall.example')
  const person = await arrive({ baseURL: `${base}/` })
  const { page } = person
  await person.signIn('ada', PASSWORD)
  expect(await page.evaluate(() => [window.isSecureContext, 'locks' in navigator])).toEqual([false, false])
  await throttle(page, MB)
  const file = randomFile(hall, 'lecture.mp4', 24 * MB)
  await chooser(person).setInputFiles(file.path)
  await underWay(person)
  const second = await person.context.newPage()
  const sent: string[] = []
  second.on('request', (request) => request.method() === 'PATCH' && sent.push(request.url()))
  await second.goto('transfers')
  await second.getByText(say('transfers.elsewhere')).waitFor()
  // The same file chosen there begins no second one.
  expect(await second.locator('.transfer-row input[type=file]').count()).toBe(0)
  expect(sent).toEqual([])
  await page.close()
  await second.getByText(say('transfers.chooseAgain')).waitFor()
  await second.locator('.transfer-row input[type=file]').setInputFiles(file.path)
  await second.locator('.transfer-row.done').waitFor({ timeout: 40_000 })
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
})
