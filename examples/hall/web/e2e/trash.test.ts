import type { Hall } from './support/hall'
import { OwnDrive } from './support/own-drive'
import { expect, PASSWORD, test } from './support/test'

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
  await page.getByRole('link', { name: 'Trash' }).click()
  await page
    .getByText(/\d+ days left/)
    .first()
    .waitFor()
  await page.getByRole('button', { name: 'Restore a.txt' }).click()
  await page.getByText('a.txt is back').waitFor()
  await page.getByRole('button', { name: 'Restore b.txt' }).click()
  await page.getByRole('dialog').getByText('There is something called b.txt where it was').waitFor()
  await page.getByRole('button', { name: 'Restore under another name' }).click()
  await page.getByText('The trash is empty').waitFor()
  await page.getByRole('link', { name: 'My files' }).click()
  for (const name of ['a.txt', 'b.txt', 'b (2).txt']) await page.getByRole('link', { name }).waitFor()
})

test('one thing or all is deleted for good, after asking, with the keyboard alone', async ({
  hall,
  arrive,
}) => {
  await throwAway(hall, ['a.txt', 'b.txt', 'c.txt'])
  const person = await arrive({ locale: 'zh-CN' })
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.goto('trash')
  await page.getByRole('button', { name: '彻底删除“a.txt”' }).press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.getByText('“a.txt”将被彻底删除，无法恢复。').waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  expect(await page.getByRole('listitem').filter({ hasText: 'a.txt' }).count()).toBe(1)
  await page.getByRole('button', { name: '彻底删除“a.txt”' }).press('Enter')
  await dialog.getByRole('button', { name: '彻底删除' }).press('Enter')
  await page.getByText('a.txt').first().waitFor({ state: 'detached' })
  await page.getByText('b.txt').waitFor()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: '清空回收站' }).press('Enter')
  await dialog.getByRole('button', { name: '全部彻底删除' }).press('Enter')
  await page.getByText('回收站是空的').waitFor()
})
