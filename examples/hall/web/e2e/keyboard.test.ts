import { stored, throttle } from './support/bytes'
import type { Hall } from './support/hall'
import { Keys } from './support/keys'
import { OwnDrive } from './support/own-drive'
import { expect, PASSWORD, test, type Person } from './support/test'
import { done, sending } from './support/transfers'

/** Ada before her drive of two files and a folder, without a pointer. */
async function ada(hall: Hall, person: Person) {
  hall.addAccount('ada')
  const drive = await OwnDrive.of(hall, 'ada')
  await drive.put('a.txt', 'first')
  await drive.put('b.txt', 'second one')
  await drive.makeFolder('Target')
  await person.signIn('ada', PASSWORD)
  await person.page.getByRole('link', { name: 'Target' }).waitFor()
  return { drive, page: person.page, keys: new Keys(person.page) }
}

test('a folder is made, opened, left, sorted, filtered and searched', async ({ hall, arrive }) => {
  const { page, keys } = await ada(hall, await arrive())
  await keys.enter('New folder')
  await keys.at('Name')
  await keys.type('Lectures')
  await keys.press('Enter')
  await page.getByRole('link', { name: 'Lectures' }).waitFor()
  await keys.at('New folder')
  await keys.enter('Size')
  await keys.at('Size')
  expect(await page.getByRole('columnheader', { name: 'Size' }).getAttribute('aria-sort')).toBe('ascending')
  await keys.to('Kind', { back: true })
  await keys.type('Im')
  await page.getByText('Nothing of this kind is here').waitFor()
  await keys.press('Home')
  await page.getByRole('link', { name: 'Lectures' }).waitFor()

  await keys.to('Lectures')
  await keys.press('End')
  await keys.at('b.txt')
  await keys.press('Home')
  await keys.at('Lectures')
  await keys.press('Enter')
  await page.getByText('There is nothing here yet').waitFor()
  await keys.enter('My files', { most: 30 })
  await page.getByRole('link', { name: 'b.txt' }).waitFor()
  await keys.to('Search files')
  await keys.type('b.t')
  await keys.press('Enter')
  await page.getByRole('heading', { name: 'Results for “b.t”' }).waitFor()
  await keys.enter('b.txt')
  await page.getByRole('region', { name: 'b.txt' }).getByText('second one').waitFor()
  await keys.press('Escape')
  await keys.at('b.txt')
})

test('entries are renamed, looked at, brought to an earlier version, deleted and brought back', async ({
  hall,
  arrive,
}) => {
  const { drive, page, keys } = await ada(hall, await arrive())
  await drive.put('a.txt', 'a newer version')
  await keys.to('a.txt')
  await keys.press('F2')
  await keys.at('Name')
  await keys.type('c.txt')
  await keys.press('Enter')
  await page.getByRole('link', { name: 'c.txt' }).waitFor()
  await keys.at('c.txt')

  await keys.press('Delete')
  await page.getByText('c.txt is in the trash').waitFor()
  await keys.at('Target')
  await keys.press('Control+z')
  await page.getByRole('link', { name: 'c.txt' }).waitFor()
  await keys.press('ArrowUp')
  await keys.at('c.txt')

  await keys.press('Shift+F10')
  await keys.at('Preview')
  for (let step = 0; step < 6; step += 1) await keys.press('ArrowDown')
  await keys.at('Details')
  await keys.press('Enter')
  await page.getByRole('dialog').getByText('15 B (15 bytes)').waitFor()
  await keys.enter(/^Restore the version of/)
  await page.getByRole('dialog').getByText('5 B (5 bytes)').waitFor()
  await keys.press('Escape')
  await keys.at('c.txt')

  // The menu's button does the same as the key, and has the focus again.
  await keys.to('Actions for c.txt')
  await keys.press('Enter')
  await keys.at('Preview')
  await keys.press('Escape')
  await keys.at('Actions for c.txt')
})

test('several are chosen, copied and moved by a dialog', async ({ hall, arrive }) => {
  const { drive, page, keys } = await ada(hall, await arrive())
  const other = await drive.makeFolder('Other')
  await page.reload()
  await page.getByRole('link', { name: 'Other' }).waitFor()
  await keys.to('a.txt')
  await keys.press('Space')
  await keys.press('Shift+ArrowDown')
  await page.getByText('2 selected').waitFor()
  await keys.enter('Copy', { back: true })
  await keys.at('Other')
  await keys.press('Enter')
  await page.getByText('There are no folders here.').waitFor()
  await keys.enter('Copy here')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await keys.at('Copy')
  await keys.enter('Move', { back: true })
  await keys.at('Other')
  await keys.enter('Target')
  await page.getByText('There are no folders here.').waitFor()
  await keys.enter('Move here')
  await page.getByText('2 items moved').waitFor()
  const names = async (folder: string) =>
    (await drive.all<{ name: string }>(`nodes/${folder}/children`)).map(({ name }) => name)
  expect(await names(drive.root)).toEqual(['Other', 'Target'])
  expect(await names(other)).toEqual(['a.txt', 'b.txt'])
})

test('a file is uploaded, and what happens with its taken name is chosen', async ({ hall, arrive }) => {
  const person = await arrive()
  person.expectStatus(409)
  const { page, keys } = await ada(hall, person)
  const chooser = page.waitForEvent('filechooser')
  await keys.enter('Upload files')
  const file = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('another') }
  await (await chooser).setFiles(file)
  await page.getByRole('button', { name: 'Keep both' }).waitFor()
  await keys.enter('Keep both')
  await page.getByRole('link', { name: 'a (2).txt' }).waitFor()
  await keys.at(/^a\.txt/)
})

test('an upload is paused and goes on', async ({ hall, arrive }) => {
  const person = await arrive()
  const file = await sending(hall, person, 'lecture.mp4', 16)
  const keys = new Keys(person.page)
  await keys.enter('Pause lecture.mp4')
  await person.page.getByText('paused').waitFor()
  await throttle(person.page)
  await keys.enter('Resume lecture.mp4')
  await done(person, 'lecture.mp4')
  expect(await stored(hall, 'ada')).toEqual({ 'lecture.mp4': file.sha256 })
})

test('an upload that finds no room is tried again when there is some', async ({ hall, arrive }) => {
  hall.addAccount('root', '--admin')
  const person = await arrive()
  person.expectStatus(507)
  const { page, keys } = await ada(hall, person)
  const root = await OwnDrive.of(hall, 'root')
  const accounts = await root.all<{ id: string; username: string }>('admin/accounts')
  const id = accounts.find(({ username }) => username === 'ada')?.id
  const allow = (quota_bytes: number) => root.ask(`admin/accounts/${id}`, 'PATCH', { quota_bytes })
  await allow(100)
  const chooser = page.waitForEvent('filechooser')
  await keys.enter('Upload files')
  const file = { name: 'thesis.txt', mimeType: 'text/plain', buffer: Buffer.alloc(5000, 'word ') }
  await (await chooser).setFiles(file)
  await page.locator('.transfer-row').getByText('Your space is full.').waitFor()
  await allow(10_000)
  await keys.enter('Try thesis.txt again')
  await page.getByRole('link', { name: 'thesis.txt' }).waitFor()
  await done(person, 'thesis.txt')
})

test('a sound is heard from another place', async ({ hall, arrive }) => {
  const { drive, page, keys } = await ada(hall, await arrive())
  await drive.put('b.wav', silence())
  await page.reload()
  await keys.to('a.txt')
  for (let step = 0; step < 2; step += 1) await keys.press('ArrowDown')
  await keys.at('b.wav')
  await keys.press('Enter')
  await page.waitForFunction(() => (document.querySelector('audio')?.duration ?? 0) > 0)
  await keys.to('b.wav')
  await keys.press('ArrowRight')
  await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 0)
  await keys.press('Escape')
  await keys.at('b.wav')
})

/** A minute of silence. */
function silence(): string {
  const header = Buffer.alloc(44)
  header.write('RIFF')
  header.writeUInt32LE(36 + 8000 * 60, 4)
  header.write('WAVEfmt ', 8)
  ;[16, 0x10001, 8000, 8000, 0x80001].forEach((word, index) => header.writeUInt32LE(word, 16 + index * 4))
  header.write('data', 36)
  header.writeUInt32LE(8000 * 60, 40)
  return header.toString('latin1') + '\0'.repeat(8000 * 60)
}

test('what was thrown away is brought back, under another name, or is gone for good', async ({
  hall,
  arrive,
}) => {
  const person = await arrive()
  person.expectStatus(409)
  const { drive, page, keys } = await ada(hall, person)
  for (const name of ['b.txt', 'd.txt', 'e.txt']) {
    const id = await drive.put(name, name)
    await drive.ask(`nodes/${id}`, 'DELETE')
  }
  await drive.put('b.txt', 'in its place')
  await page.goto('trash')
  await keys.enter('Restore b.txt')
  await keys.enter('Restore under another name')
  await page.getByText('b.txt', { exact: true }).waitFor({ state: 'detached' })
  await keys.enter('Delete for good: d.txt')
  await keys.enter(/^Delete for good/)
  await page.getByText('d.txt', { exact: true }).waitFor({ state: 'detached' })
  await keys.enter('Empty the trash', { most: 40 })
  await keys.enter(/^Delete all for good/)
  await page.getByText('The trash is empty').waitFor()
})

test('a share is ended, and a visitor opens one by its password and saves it', async ({ hall, arrive }) => {
  const { drive, page, keys } = await ada(hall, await arrive())
  const file = await drive.put('notes.txt', 'hello')
  const share = (conditions: object) =>
    drive.ask<{ token: string }>(`nodes/${file}/shares`, 'POST', conditions)
  const { token } = await share({ password: 'open sesame' })
  await page.goto(`s/${token}`)
  await keys.to('Password')
  await keys.type('open sesame')
  await keys.press('Enter')
  await page.getByRole('heading', { name: 'notes.txt' }).waitFor()
  await keys.enter('Save to my files')
  await page.getByText('It is in “My files”.').waitFor()

  await page.goto('shares')
  await keys.enter('End share: notes.txt')
  await keys.enter('End share')
  await page.getByText('You share nothing yet').waitFor()
})
