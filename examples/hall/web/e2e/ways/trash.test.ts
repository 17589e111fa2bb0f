import type { Hall } from '../support/hall'
import { OwnDrive } from '../support/own-drive'
import { expect, PASSWORD, test } from '../support/test'
import { say, saying } from '../support/words'

/** Ada's drive with things in the trash. */
async function throwAway(hall: Hall, names: string[]) {
  hall.addAccount('ada')
  const drive = await OwnDrive.of(hall, 'ada')
  for (const name of names) await drive.ask(`nodes/${await drive.put(name, name)}`, 'DELETE')
  return drive
}

test('what was deleted is brought back, under another name where its own is taken', async ({
  hall,
  arrive,
}) => {
  const drive = await throwAway(hall, ['a.txt', 'b.txt'])
  await drive.put('b.txt', 'b.txt')
  const person = await arrive()
  person.expectStatus(409)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('link', { name: say('trash.title') }).click()
  await page
    .getByText(saying('trash.daysLeft', { count: '\\d+' }))
    .first()
    .waitFor()
  await page.getByRole('button', { name: say('trash.restoreOf', { name: 'a.txt' }) }).click()
  await page.getByText(say('trash.restored', { name: 'a.txt' })).waitFor()
  await page.getByRole('button', { name: say('trash.restoreOf', { name: 'b.txt' }) }).click()
  await page
    .getByRole('dialog')
    .getByText(say('trash.ask.rename.text', { name: 'b.txt' }))
    .waitFor()
  await page.getByRole('button', { name: say('trash.ask.rename.go') }).click()
  await page.getByText(say('trash.none')).waitFor()
  await page.getByRole('link', { name: say('drive.title') }).click()
  for (const name of ['a.txt', 'b.txt', 'b (2).txt']) await page.getByRole('link', { name }).waitFor()
})

test('one thing or all is deleted for good, after asking, with the keyboard alone', async ({
  hall,
  arrive,
}) => {
  await throwAway(hall, ['a.txt', 'b.txt', 'c.txt'])
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.goto('trash')
  await page.getByRole('button', { name: say('trash.purgeOf', { name: 'a.txt' }) }).press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.getByText(say('trash.ask.purge.text', { name: 'a.txt' })).waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  expect(await page.getByRole('listitem').filter({ hasText: 'a.txt' }).count()).toBe(1)
  await page.getByRole('button', { name: say('trash.purgeOf', { name: 'a.txt' }) }).press('Enter')
  await dialog.getByRole('button', { name: say('trash.ask.purge.go') }).press('Enter')
  await page.getByText('a.txt').first().waitFor({ state: 'detached' })
  await page.getByText('b.txt').waitFor()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: say('trash.ask.empty.title') }).press('Enter')
  await dialog.getByRole('button', { name: say('trash.ask.empty.go') }).press('Enter')
  await page.getByText(say('trash.none')).waitFor()
})

test('what was brought back from the trash can not be undone a second time', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  await (await OwnDrive.of(hall, 'ada')).put('a.txt', 'a')
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('link', { name: 'a.txt' }).press('Delete')
  const undo = page.getByRole('button', { name: say('drive.undo') })
  await undo.waitFor()
  await page.getByRole('link', { name: say('trash.title') }).click()
  await page.getByRole('button', { name: say('trash.restoreOf', { name: 'a.txt' }) }).click()
  await page.getByText(say('trash.restored', { name: 'a.txt' })).waitFor()
  expect(await undo.count()).toBe(0)
})
