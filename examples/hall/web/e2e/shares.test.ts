import type { Page } from 'playwright-core'

import type { Hall } from './support/hall'
import { OwnDrive } from './support/own-drive'
import { expect, PASSWORD, test } from './support/test'

/** Ada's drive with a file and a folder, and Ada before it. */
async function prepare({ page }: { page: Page }, hall: Hall) {
  const drive = await OwnDrive.of(hall, 'ada')
  await drive.put('notes.txt', 'hello')
  await drive.makeFolder('Homework')
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
}

async function shareDialog(page: Page, name: string) {
  await page.getByRole('button', { name: `Actions for ${name}` }).click()
  await page.getByRole('menuitem', { name: 'Share' }).click()
  return page.getByRole('dialog')
}

const clipboard = (page: Page) => page.evaluate(() => navigator.clipboard.readText())

test('link and code are copied in one go and open the file for a visitor', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const ada = await arrive()
  await prepare(ada, hall)
  await ada.signIn('ada', PASSWORD)
  const dialog = await shareDialog(ada.page, 'notes.txt')
  await dialog.getByRole('button', { name: 'Make a link' }).click()
  await dialog.getByRole('img', { name: 'QR code of the link' }).waitFor()
  await dialog.getByRole('button', { name: 'Copy link and password' }).click()
  await ada.page.getByText('Copied').waitFor()
  const [, link, code] = /^Link: (\S+) Password: (\S+)$/.exec(await clipboard(ada.page)) ?? []
  expect(await dialog.getByLabel('Link', { exact: true }).inputValue()).toBe(link)

  const visitor = await arrive()
  await visitor.page.goto(link ?? '')
  await visitor.page.getByLabel('Password').fill(code ?? '')
  await visitor.page.getByRole('button', { name: 'Open' }).click()
  const download = visitor.page.waitForEvent('download')
  await visitor.page.getByRole('link', { name: 'Download' }).click()
  await download

  // The download is counted with its first byte.
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click()
  await ada.page.getByRole('link', { name: 'My shares' }).click()
  const row = ada.page.getByRole('listitem').filter({ hasText: 'notes.txt' })
  await row.getByText('1 download · with a password').waitFor()
  await row.getByText('Live').waitFor()
})

test('a share has the conditions that it was given, and ends when it is revoked', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  const person = await arrive()
  const { page } = person
  await prepare(person, hall)
  await person.signIn('ada', PASSWORD)
  const dialog = await shareDialog(page, 'notes.txt')
  await dialog.getByLabel('Password').selectOption('One of my own')
  await dialog.getByLabel('Your password').fill('sesame seed')
  await dialog.getByLabel('Ends').selectOption('On a day I choose')
  await dialog.getByLabel('Last day').fill('2099-05-01')
  await dialog.getByText('More limits').click()
  await dialog.getByLabel('Most downloads').fill('3')
  await dialog.getByLabel('Allowed networks').fill('127.0.0.0/8, 10.1.2.3')
  await dialog.getByRole('button', { name: 'Make a link' }).click()
  await dialog.getByRole('button', { name: 'Copy link and password' }).waitFor()
  expect(await dialog.getByLabel('Password').inputValue()).toBe('sesame seed')
  await page.keyboard.press('Escape')

  await page.goto('shares')
  const row = page.getByRole('listitem').filter({ hasText: 'notes.txt' })
  await row.getByText('0 of 3 downloads · with a password · only from 127.0.0.0/8, 10.1.2.3/32').waitFor()
  await row.getByText('1 May 2099, 23:59').waitFor()
  await row.getByRole('button', { name: 'Copy link: notes.txt' }).click()
  await page.getByText('Copied').waitFor()
  const link = await clipboard(page)
  expect((await fetch(link)).status).toBe(200)

  await row.getByRole('button', { name: 'End share: notes.txt' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'End share' }).click()
  await page.getByText('You share nothing yet').waitFor()
  expect((await fetch(link)).status).toBe(404)
})

test('a network that is none is refused at its field', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive({ locale: 'zh-CN' })
  person.expectStatus(422)
  const { page } = person
  await prepare(person, hall)
  await person.signIn('ada', PASSWORD)
  await page.getByRole('button', { name: '“notes.txt”的操作' }).click()
  await page.getByRole('menuitem', { name: '分享' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('更多限制').click()
  await dialog.getByLabel('允许的网络').fill('the campus')
  await dialog.getByRole('button', { name: '创建链接' }).click()
  await dialog.getByText('请填写有效的网络').waitFor()
  expect(await dialog.getByLabel('允许的网络').getAttribute('aria-invalid')).toBe('true')
  await dialog.getByLabel('允许的网络').fill('')
  await dialog.getByRole('button', { name: '创建链接' }).click()
  await dialog.getByRole('button', { name: '复制链接和提取码' }).click()
  await page.getByText('已复制到剪贴板').waitFor()
  expect(await clipboard(page)).toMatch(/^链接：http\S+ 提取码：\S+$/)
})

test('a share is made with the keyboard alone', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  const { page } = person
  await prepare(person, hall)
  await person.signIn('ada', PASSWORD)
  await page.getByRole('button', { name: 'Actions for Homework' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Share' }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.getByRole('menuitem', { name: 'Share' }).press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Password').waitFor()
  const reach = async (what: () => boolean) => {
    for (let tabs = 0; tabs < 20 && !(await page.evaluate(what)); tabs += 1) await page.keyboard.press('Tab')
  }
  await reach(() => document.activeElement?.getAttribute('type') === 'checkbox')
  await page.keyboard.press('Space')
  expect(await dialog.getByLabel('Collect files').isChecked()).toBe(true)
  await reach(() => document.activeElement?.getAttribute('type') === 'submit')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.activeElement?.textContent?.trim() === 'Copy link and password')
  await page.keyboard.press('Enter')
  await page.getByText('Copied').waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
})
