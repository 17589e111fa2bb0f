import { randomFile, stored, throttle } from '../support/bytes'
import { Network } from '../support/network'
import { expect, PASSWORD, test } from '../support/test'
import { say } from '../support/words'
import { chooser, done, MB, sending } from '../support/transfers'

test('an upload goes on by itself when the hall is killed and served again', async ({ hall, arrive }) => {
  const person = await arrive()
  person.expectComplaint(/ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET|ERR_FAILED/)
  const { page } = person
  const file = await sending(hall, person)
  await hall.kill()
  await page.getByText(say('transfers.stalled')).waitFor()
  await throttle(page)
  await hall.serve()
  await done(person, 'lecture.mp4')
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
})

test('an upload goes on by itself when the network was cut', async ({ hall, arrive }) => {
  const network = await Network.before(hall)
  const person = await arrive({ baseURL: network.baseURL })
  person.expectComplaint(/ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET|ERR_FAILED/)
  const { page } = person
  const file = await sending(hall, person)
  network.cut()
  await page.getByText(say('transfers.stalled')).waitFor()
  await throttle(page)
  network.mend()
  await done(person, 'lecture.mp4')
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
})

test('a reload shows what is unfinished, and the file chosen again goes on where the hall is', async ({
  hall,
  arrive,
}) => {
  const person = await arrive()
  const { page } = person
  const file = await sending(hall, person)
  const changed = randomFile(hall, 'lecture.mp4', 23 * MB)
  const other = randomFile(hall, 'other.mp4', 10)
  await page.reload()
  await page.getByText(say('transfers.someUnfinished', { count: 1 })).waitFor()
  const row = page.locator('.transfer-row.unfinished')
  await row.getByText(say('transfers.chooseAgain')).waitFor()

  await row.locator('input[type=file]').setInputFiles(other.path)
  await row.getByText(say('transfers.otherFile', { name: 'lecture.mp4' })).waitFor()
  await row.locator('input[type=file]').setInputFiles(changed.path)
  await row.getByText(say('transfers.fileChanged')).waitFor()

  await throttle(page)
  const resumed = page.waitForRequest((request) => request.method() === 'PATCH')
  await row.locator('input[type=file]').setInputFiles(file.path)
  expect(Number((await resumed).headers()['upload-offset'])).toBeGreaterThan(0)
  await done(person, 'lecture.mp4')
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
  await page.reload()
  await page.getByRole('link', { name: 'lecture.mp4' }).waitFor()
  expect(await page.locator('.transfer-row').count()).toBe(0)
})

test('the same file added again after a reload goes on too, also when the hall was killed meanwhile', async ({
  hall,
  arrive,
}) => {
  const person = await arrive()
  person.expectComplaint(/ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET|ERR_FAILED/)
  const { page } = person
  const file = await sending(hall, person)
  await hall.kill()
  await hall.serve()
  await page.reload()
  await page.locator('.transfer-row.unfinished').waitFor()
  await throttle(page)
  await chooser(person).setInputFiles(file.path)
  await done(person, 'lecture.mp4')
  expect(await page.locator('.transfer-row').count()).toBe(1)
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
})

test('a session that ends in mid-upload asks to sign in, and the upload goes on', async ({
  hall,
  arrive,
}) => {
  const person = await arrive()
  person.expectStatus(401)
  person.expectStatus(403)
  person.expectComplaint(/ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET|ERR_FAILED|ERR_HTTP/)
  const { page } = person
  const file = await sending(hall, person)
  // Locking ends every session within a second; unlocking brings none back.
  hall.run(['account', 'lock', 'ada'])
  await page.getByText(say('session.ended')).waitFor()
  hall.run(['account', 'unlock', 'ada'])
  await throttle(page)
  const requests: string[] = []
  page.on('request', (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`))
  await page.getByLabel(say('session.username')).fill('ada')
  await page.getByLabel(say('session.password')).fill(PASSWORD)
  await page.getByRole('button', { name: say('session.signIn') }).click()
  await done(person, 'lecture.mp4')
  expect(requests.filter((request) => request === 'POST /api/v1/uploads')).toEqual([])
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
})

test('a second window leaves an upload to the first, and takes it over when that is closed', async ({
  hall,
  arrive,
}) => {
  const person = await arrive()
  const file = await sending(hall, person)
  // Time for the second window to look.
  await throttle(person.page, MB)
  const second = await person.context.newPage()
  await second.goto('transfers')
  await second.getByText(say('transfers.elsewhere')).waitFor()
  await person.page.close()
  await second.getByText(say('transfers.chooseAgain')).waitFor()
  await second.locator('.transfer-row input[type=file]').setInputFiles(file.path)
  await second.locator('.transfer-row.done').waitFor({ timeout: 40_000 })
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
})

test('an unfinished upload is given up on the hall too', async ({ hall, arrive }) => {
  const person = await arrive()
  const { page } = person
  await sending(hall, person, '讲座.mp4', 16)
  await page.reload()
  await page.getByText(say('transfers.someUnfinished', { count: 1 })).waitFor()
  const answer = page.waitForResponse((response) => response.request().method() === 'DELETE')
  await page.getByRole('button', { name: say('transfers.cancel', { name: '讲座.mp4' }) }).click()
  expect((await answer).status()).toBe(204)
  await page.reload()
  await page.locator('.empty-state').waitFor()
  expect(await page.locator('.transfer-row').count()).toBe(0)
})
