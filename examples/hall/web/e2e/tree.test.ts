import type { Hall } from './support/hall'
import { OwnDrive } from './support/own-drive'
import { expect, PASSWORD, PHONE, test } from './support/test'

/** Ada's drive: Courses/Physics/Labs, Courses/Chemistry, and a file. */
async function fill(hall: Hall) {
  hall.addAccount('ada')
  const drive = await OwnDrive.of(hall, 'ada')
  const courses = await drive.makeFolder('Courses')
  const physics = await drive.makeFolder('Physics', courses)
  await drive.makeFolder('Chemistry', courses)
  await drive.makeFolder('Labs', physics)
  await drive.put('notes.txt', 'hello')
  return { physics }
}

test('the tree shows the folders, follows where one goes and is walked by keyboard', async ({
  hall,
  arrive,
}) => {
  const { physics } = await fill(hall)
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  const tree = page.getByRole('tree', { name: 'Folders' })
  const branch = (name: string) => tree.getByText(name, { exact: true })
  await branch('Courses').waitFor()
  expect(await tree.getByText('notes.txt').count()).toBe(0)

  // From the root down by keys alone.
  await tree.getByRole('treeitem').first().focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowRight')
  await branch('Physics').waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Courses' }).waitFor()

  // The list leads the tree too, and what is made there appears in it.
  await page.getByRole('grid').getByRole('link', { name: 'Physics' }).click()
  await page.waitForURL(`**/drive/${physics}`)
  await page.waitForFunction(() => document.querySelector('.el-tree .is-current')?.textContent === 'Physics')
  await tree.locator('[role=treeitem].is-current').focus()
  await page.keyboard.press('ArrowRight')
  await branch('Labs').waitFor()
  await page.getByRole('button', { name: 'New folder' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('Reports')
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click()
  await branch('Reports').waitFor()

  // An address below opens the way down to it.
  await page.reload()
  await branch('Physics').waitFor()
  await branch('Chemistry').waitFor()
  expect(await branch('Reports').count()).toBe(0)
})

test('files are dropped on a folder of the tree', async ({ hall, arrive }) => {
  await fill(hall)
  const person = await arrive({ locale: 'zh-CN' })
  const { page } = person
  await person.signIn('ada', PASSWORD)
  const courses = page.getByRole('tree').getByText('Courses', { exact: true })
  await page.getByRole('grid').getByRole('link', { name: 'notes.txt' }).dragTo(courses)
  await page.getByText('已移动 1 项').waitFor()
  await courses.click()
  await page.getByRole('grid').getByRole('link', { name: 'notes.txt' }).waitFor()
})

test('a phone has no room for the tree', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive({ viewport: PHONE })
  await person.signIn('ada', PASSWORD)
  await person.page.getByRole('heading', { name: 'My files' }).waitFor()
  expect(await person.page.getByRole('tree').count()).toBe(0)
})
