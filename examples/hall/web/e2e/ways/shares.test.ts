import type { Page } from 'playwright-core'

import type { Hall } from '../support/hall'
import { OwnDrive } from '../support/own-drive'
import { expect, PASSWORD, test } from '../support/test'
import { lastMinute, say, saying } from '../support/words'

/** Ada's drive with a file and a folder, and Ada before it. */
async function prepare({ page }: { page: Page }, hall: Hall) {
  const drive = await OwnDrive.of(hall, 'ada')
  await drive.put('notes.txt', 'hello')
  await drive.makeFolder('Homework')
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
}

async function shareDialog(page: Page, name: string) {
  await page.getByRole('button', { name: say('drive.actionsOf', { name }) }).click()
  await page.getByRole('menuitem', { name: say('shares.share') }).click()
  return page.getByRole('dialog')
}

const clipboard = (page: Page) => page.evaluate(() => navigator.clipboard.readText())

test('link and code are copied in one go and open the file for a visitor', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const ada = await arrive()
  await prepare(ada, hall)
  await ada.signIn('ada', PASSWORD)
  const dialog = await shareDialog(ada.page, 'notes.txt')
  await dialog.getByRole('button', { name: say('shares.make') }).click()
  await dialog.getByRole('img', { name: say('shares.qrCode') }).waitFor()
  await dialog.getByRole('button', { name: say('shares.copyBoth') }).click()
  await ada.page.getByText(say('shares.copied')).waitFor()
  const [, link, code] =
    saying('shares.linkAndCode', { link: '(\\S+)', code: '(\\S+)' }).exec(await clipboard(ada.page)) ?? []
  expect(await dialog.getByLabel(say('shares.link'), { exact: true }).inputValue()).toBe(link)

  const visitor = await arrive()
  await visitor.page.goto(link ?? '')
  await visitor.page.getByLabel(say('shares.code')).fill(code ?? '')
  await visitor.page.getByRole('button', { name: say('visit.open') }).click()
  const download = visitor.page.waitForEvent('download')
  await visitor.page.getByRole('link', { name: say('visit.download') }).click()
  await download

  // The download is counted with its first byte.
  await dialog
    .getByRole('button', { name: say('frame.close'), exact: true })
    .last()
    .click()
  await ada.page.getByRole('link', { name: say('shares.title') }).click()
  const row = ada.page.getByRole('listitem').filter({ hasText: 'notes.txt' })
  await row.getByText(`${say('shares.downloads', { count: 1 })} · ${say('shares.withCode')}`).waitFor()
  await row.getByText(say('shares.states.live'), { exact: true }).waitFor()
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
  await dialog.getByLabel(say('shares.code')).selectOption(say('shares.passwords.own'))
  await dialog.getByLabel(say('shares.ownCode')).fill('sesame seed')
  await dialog.getByLabel(say('shares.expiry')).selectOption(say('shares.expiries.own'))
  await dialog.getByLabel(say('shares.lastDay')).fill('2099-05-01')
  await dialog.getByText(say('shares.more')).click()
  await dialog.getByLabel(say('shares.maxDownloads')).fill('3')
  await dialog.getByLabel(say('shares.networks')).fill('127.0.0.0/8, 10.1.2.3')
  await dialog.getByRole('button', { name: say('shares.make') }).click()
  await dialog.getByRole('button', { name: say('shares.copyBoth') }).waitFor()
  expect(await dialog.getByLabel(say('shares.code')).inputValue()).toBe('sesame seed')
  await page.keyboard.press('Escape')

  await page.goto('shares')
  const row = page.getByRole('listitem').filter({ hasText: 'notes.txt' })
  await row
    .getByText(
      [
        say('shares.downloadsOf', { count: 0, most: 3 }),
        say('shares.withCode'),
        say('shares.onlyFrom', { networks: '127.0.0.0/8, 10.1.2.3/32' }),
      ].join(' · '),
    )
    .waitFor()
  await row.getByText(lastMinute(2099, 5, 1)).waitFor()
  await row.getByRole('button', { name: say('shares.copyLinkOf', { name: 'notes.txt' }) }).click()
  await page.getByText(say('shares.copied')).waitFor()
  const link = await clipboard(page)
  expect((await fetch(link)).status).toBe(200)

  await row.getByRole('button', { name: say('shares.revokeOf', { name: 'notes.txt' }) }).click()
  await page
    .getByRole('dialog')
    .getByRole('button', { name: say('shares.revoke') })
    .click()
  await page.getByText(say('shares.none')).waitFor()
  expect((await fetch(link)).status).toBe(404)
})

test('a network that is none is refused at its field', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  person.expectStatus(422)
  const { page } = person
  await prepare(person, hall)
  await person.signIn('ada', PASSWORD)
  await page.getByRole('button', { name: say('drive.actionsOf', { name: 'notes.txt' }) }).click()
  await page.getByRole('menuitem', { name: say('shares.share') }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText(say('shares.more')).click()
  await dialog.getByLabel(say('shares.networks')).fill('the campus')
  await dialog.getByRole('button', { name: say('shares.make') }).click()
  await dialog.getByText(say('problem.field.allow_from')).waitFor()
  expect(await dialog.getByLabel(say('shares.networks')).getAttribute('aria-invalid')).toBe('true')
  await dialog.getByLabel(say('shares.networks')).fill('')
  await dialog.getByRole('button', { name: say('shares.make') }).click()
  await dialog.getByRole('button', { name: say('shares.copyBoth') }).click()
  await page.getByText(say('shares.copied')).waitFor()
  expect(await clipboard(page)).toMatch(saying('shares.linkAndCode', { link: 'http\\S+', code: '\\S+' }))
})

test('a share is made with the keyboard alone', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  const { page } = person
  await prepare(person, hall)
  await person.signIn('ada', PASSWORD)
  await page.getByRole('button', { name: say('drive.actionsOf', { name: 'Homework' }) }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: say('shares.share') }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.getByRole('menuitem', { name: say('shares.share') }).press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel(say('shares.code')).waitFor()
  const reach = async (what: () => boolean) => {
    for (let tabs = 0; tabs < 20 && !(await page.evaluate(what)); tabs += 1) await page.keyboard.press('Tab')
  }
  await reach(() => document.activeElement?.getAttribute('type') === 'checkbox')
  await page.keyboard.press('Space')
  expect(await dialog.getByLabel(say('shares.drop')).isChecked()).toBe(true)
  await reach(() => document.activeElement?.getAttribute('type') === 'submit')
  await page.keyboard.press('Enter')
  await page.waitForFunction(
    (copy) => document.activeElement?.textContent?.trim() === copy,
    say('shares.copyBoth'),
  )
  await page.keyboard.press('Enter')
  await page.getByText(say('shares.copied')).waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
})
