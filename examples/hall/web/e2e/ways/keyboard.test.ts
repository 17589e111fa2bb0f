import { stored, throttle } from '../support/bytes'
import type { Hall } from '../support/hall'
import { Keys } from '../support/keys'
import { OwnDrive } from '../support/own-drive'
import { expect, PASSWORD, test, type Person } from '../support/test'
import { say, saying } from '../support/words'
import { done, sending } from '../support/transfers'

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
  await keys.enter(say('drive.newFolder'))
  await keys.at(say('drive.name'))
  await keys.type('Lectures')
  await keys.press('Enter')
  await page.getByRole('link', { name: 'Lectures' }).waitFor()
  await keys.at(say('drive.newFolder'))
  await keys.enter(say('drive.size'))
  await keys.at(say('drive.size'))
  expect(await page.getByRole('columnheader', { name: say('drive.size') }).getAttribute('aria-sort')).toBe(
    'ascending',
  )
  await keys.to(say('drive.kind'), { back: true })
  const kind = page.getByLabel(say('drive.kind'))
  while ((await kind.inputValue()) !== 'image') await keys.press('ArrowDown')
  await page.getByText(say('drive.noneOfKind')).waitFor()
  await keys.press('Home')
  await page.getByRole('link', { name: 'Lectures' }).waitFor()

  await keys.to('Lectures')
  await keys.press('End')
  await keys.at('b.txt')
  await keys.press('Home')
  await keys.at('Lectures')
  await keys.press('Enter')
  await page.getByText(say('drive.empty')).waitFor()
  await keys.enter(say('drive.title'), { most: 30 })
  await page.getByRole('link', { name: 'b.txt' }).waitFor()
  await keys.to(say('drive.searchFor'))
  await keys.type('b.t')
  await keys.press('Enter')
  await page.getByRole('heading', { name: say('drive.results', { query: 'b.t' }) }).waitFor()
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
  await keys.at(say('drive.name'))
  await keys.type('c.txt')
  await keys.press('Enter')
  await page.getByRole('link', { name: 'c.txt' }).waitFor()
  await keys.at('c.txt')

  await keys.press('Delete')
  await page.getByText(say('drive.deleted', { name: 'c.txt' })).waitFor()
  await keys.at('Target')
  await keys.press('Control+z')
  await page.getByRole('link', { name: 'c.txt' }).waitFor()
  await keys.press('ArrowUp')
  await keys.at('c.txt')

  await keys.press('Shift+F10')
  await keys.at(say('preview.open'))
  for (let step = 0; step < 6; step += 1) await keys.press('ArrowDown')
  await keys.at(say('drive.details'))
  await keys.press('Enter')
  await page
    .getByRole('dialog')
    .getByText(say('drive.bytes', { size: '15 B', bytes: 15 }))
    .waitFor()
  await keys.enter(saying('drive.restoreVersionOf', { time: '.+' }))
  await page
    .getByRole('dialog')
    .getByText(say('drive.bytes', { size: '5 B', bytes: 5 }))
    .waitFor()
  await keys.press('Escape')
  await keys.at('c.txt')

  // The menu's button does the same as the key, and has the focus again.
  await keys.to(say('drive.actionsOf', { name: 'c.txt' }))
  await keys.press('Enter')
  await keys.at(say('preview.open'))
  await keys.press('Escape')
  await keys.at(say('drive.actionsOf', { name: 'c.txt' }))
})

test('several are chosen, copied and moved by a dialog', async ({ hall, arrive }) => {
  const { drive, page, keys } = await ada(hall, await arrive())
  const other = await drive.makeFolder('Other')
  await page.reload()
  await page.getByRole('link', { name: 'Other' }).waitFor()
  await keys.to('a.txt')
  await keys.press('Space')
  await keys.press('Shift+ArrowDown')
  await page.getByText(say('drive.selected', { count: 2 })).waitFor()
  await keys.enter(say('drive.copy'), { back: true })
  await keys.at('Other')
  await keys.press('Enter')
  await page.getByText(say('drive.noFolders')).waitFor()
  await keys.enter(say('drive.copyHere'))
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await keys.at(say('drive.copy'))
  await keys.enter(say('drive.move'), { back: true })
  await keys.at('Other')
  await keys.enter('Target')
  await page.getByText(say('drive.noFolders')).waitFor()
  await keys.enter(say('drive.moveHere'))
  await page.getByText(say('drive.moved', { count: 2 })).waitFor()
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
  await keys.enter(say('drive.upload'))
  const file = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('another') }
  await (await chooser).setFiles(file)
  await page.getByRole('button', { name: say('transfers.keepBoth') }).waitFor()
  await keys.enter(say('transfers.keepBoth'))
  await page.getByRole('link', { name: 'a (2).txt' }).waitFor()
  await keys.at(/^a\.txt/)
})

test('an upload is paused and goes on', async ({ hall, arrive }) => {
  const person = await arrive()
  const file = await sending(hall, person, 'lecture.mp4', 16)
  const keys = new Keys(person.page)
  await keys.enter(say('transfers.pause', { name: 'lecture.mp4' }))
  await person.page.getByText(say('transfers.paused')).waitFor()
  await throttle(person.page)
  await keys.enter(say('transfers.resume', { name: 'lecture.mp4' }))
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
  await keys.enter(say('drive.upload'))
  const file = { name: 'thesis.txt', mimeType: 'text/plain', buffer: Buffer.alloc(5000, 'word ') }
  await (await chooser).setFiles(file)
  await page.locator('.transfer-row').getByText(say('problem.kind.quota_exceeded')).waitFor()
  await allow(10_000)
  await keys.enter(say('transfers.retry', { name: 'thesis.txt' }))
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
  await keys.enter(say('trash.restoreOf', { name: 'b.txt' }))
  await keys.enter(say('trash.ask.rename.go'))
  await page.getByText('b.txt', { exact: true }).waitFor({ state: 'detached' })
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await keys.enter(say('trash.purgeOf', { name: 'd.txt' }))
  await keys.enter(say('trash.ask.purge.go'))
  await page.getByText('d.txt', { exact: true }).waitFor({ state: 'detached' })
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await keys.enter(say('trash.ask.empty.title'), { most: 40 })
  await keys.enter(say('trash.ask.empty.go'))
  await page.getByText(say('trash.none')).waitFor()
})

test('a share is ended, and a visitor opens one by its password and saves it', async ({ hall, arrive }) => {
  const { drive, page, keys } = await ada(hall, await arrive())
  const file = await drive.put('notes.txt', 'hello')
  const share = (conditions: object) =>
    drive.ask<{ token: string }>(`nodes/${file}/shares`, 'POST', conditions)
  const { token } = await share({ password: 'open sesame' })
  await page.goto(`s/${token}`)
  await keys.to(say('visit.password'))
  await keys.type('open sesame')
  await keys.press('Enter')
  await page.getByRole('heading', { name: 'notes.txt' }).waitFor()
  await keys.enter(say('visit.save'))
  await page.getByText(say('visit.saved')).waitFor()

  await page.goto('shares')
  await keys.enter(say('shares.revokeOf', { name: 'notes.txt' }))
  await keys.enter(say('shares.revoke'))
  await page.getByText(say('shares.none')).waitFor()
})
