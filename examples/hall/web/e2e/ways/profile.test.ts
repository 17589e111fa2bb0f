import { expect, PASSWORD, test } from '../support/test'
import { lastMinute, say } from '../support/words'

test('a profile is changed, and is what was saved after a reload', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  person.expectStatus(422)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('button', { name: say('session.account', { name: 'ada' }) }).click()
  await page.getByRole('menuitem', { name: say('profile.title') }).click()
  await page.getByLabel(say('profile.displayName')).fill('Ada Lovelace')
  await page.getByLabel(say('session.email')).fill('nowhere')
  await page.getByLabel(say('profile.phone')).fill('+86 10 6279 3001')
  await page.getByRole('textbox', { name: say('profile.about') }).fill('First line\nSecond line')
  await page.getByRole('button', { name: say('profile.save'), exact: true }).click()
  await page.getByText(say('problem.field.email')).waitFor()
  await page.getByLabel(say('session.email')).fill('ada@campus.example')
  await page.getByRole('button', { name: say('profile.save'), exact: true }).click()
  await page.getByText(say('profile.saved')).waitFor()
  await page.getByRole('button', { name: say('session.account', { name: 'Ada Lovelace' }) }).waitFor()
  await page.reload()
  expect(await page.getByLabel(say('session.email')).inputValue()).toBe('ada@campus.example')
  expect(await page.getByRole('textbox', { name: say('profile.about') }).inputValue()).toBe(
    'First line\nSecond line',
  )
})

test('a new password ends the sessions elsewhere and keeps this one', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  const elsewhere = await arrive()
  person.expectStatus(403)
  person.expectStatus(422)
  elsewhere.expectStatus(401)
  await elsewhere.signIn('ada', PASSWORD)
  await person.signIn('ada', PASSWORD)
  const { page } = person
  await page.goto('profile')
  await page.getByLabel(say('profile.currentPassword')).fill('not this one')
  await page.getByLabel(say('profile.nextPassword')).fill('a longer password')
  await page.getByRole('button', { name: say('profile.changePassword') }).click()
  await page.getByText(say('problem.kind.wrong_password')).waitFor()
  await page.getByLabel(say('profile.currentPassword')).fill(PASSWORD)
  await page.getByLabel(say('profile.nextPassword')).fill('password')
  await page.getByRole('button', { name: say('profile.changePassword') }).click()
  await page.getByText(say('problem.field.new')).waitFor()
  await page.getByLabel(say('profile.nextPassword')).fill('a longer password')
  await page.getByRole('button', { name: say('profile.changePassword') }).click()
  await page.getByText(say('profile.passwordChanged')).waitFor()
  await page.reload()
  await page.getByLabel(say('profile.displayName')).waitFor()

  await elsewhere.page.reload()
  await elsewhere.page.getByRole('heading', { name: say('session.signIn') }).waitFor()
  await elsewhere.signIn('ada', 'a longer password')
})

test('an app token is made by keyboard, shown once, copied, does what it may, and is revoked', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  const person = await arrive({ permissions: ['clipboard-read', 'clipboard-write'] })
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.goto('profile')
  await page.getByText(say('profile.noTokens')).waitFor()
  await page.getByRole('button', { name: say('profile.newToken') }).focus()
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT')
  await page.keyboard.type('backup')
  for (const scope of ['write', 'share']) {
    await page.keyboard.press('Tab')
    if (scope === 'write') await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
  }
  await page.keyboard.press('Enter')
  await page.getByLabel(say('profile.secretOf', { name: 'backup' })).waitFor()
  expect(await page.evaluate(() => document.activeElement?.getAttribute('readonly'))).not.toBeNull()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText(say('profile.copied'), { exact: true }).waitFor()
  const token = await page.evaluate(() => navigator.clipboard.readText())
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })

  const headers = { authorization: `Bearer ${token}` }
  const drives = `${hall.base}/api/v1/drives`
  expect((await fetch(drives, { headers })).status).toBe(200)
  expect((await fetch(`${hall.base}/api/v1/trash`, { method: 'DELETE', headers })).status).toBe(403)
  await page.getByText(say('profile.scope.read'), { exact: true }).waitFor()
  expect((await page.content()).includes(token)).toBe(false)

  await page.getByRole('button', { name: say('profile.revokeToken', { name: 'backup' }) }).click()
  await page
    .getByRole('dialog')
    .getByRole('button', { name: say('profile.revoke'), exact: true })
    .click()
  await page.getByText(say('profile.noTokens')).waitFor()
  expect((await fetch(drives, { headers })).status).toBe(401)
})

test('an app token may end on a day, which is the last one where the person is', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive({ timezoneId: 'Pacific/Auckland' })
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.goto('profile')
  await page.getByRole('button', { name: say('profile.newToken') }).click()
  await page.getByLabel(say('profile.tokenName')).fill('course')
  await page.getByLabel(say('profile.expires')).selectOption('day')
  await page.getByLabel(say('profile.lastDay')).fill('2031-07-01')
  const answer = page.waitForResponse((response) => response.url().endsWith('/me/tokens'))
  await page.getByRole('button', { name: say('profile.makeToken') }).click()
  const { expires } = (await (await answer).json()) as { expires: string }
  expect(new Date(expires).toISOString()).toBe('2031-07-01T11:59:59.000Z')
  await page.getByRole('button', { name: say('frame.close'), exact: true }).click()
  await page.getByText(say('profile.ends', { time: lastMinute(2031, 7, 1) })).waitFor()
})
