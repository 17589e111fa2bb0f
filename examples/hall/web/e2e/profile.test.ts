import { expect, PASSWORD, test } from './support/test'

test('a profile is changed, and is what was saved after a reload', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  person.expectStatus(422)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('button', { name: 'Account of ada' }).click()
  await page.getByRole('menuitem', { name: 'Profile' }).click()
  await page.getByLabel('Display name').fill('Ada Lovelace')
  await page.getByLabel('Email').fill('nowhere')
  await page.getByLabel('Phone').fill('+86 10 6279 3001')
  await page.getByRole('textbox', { name: 'About' }).fill('First line\nSecond line')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('This is not an email address.').waitFor()
  await page.getByLabel('Email').fill('ada@campus.example')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('Your profile is saved.').waitFor()
  await page.getByRole('button', { name: 'Account of Ada Lovelace' }).waitFor()
  await page.reload()
  expect(await page.getByLabel('Email').inputValue()).toBe('ada@campus.example')
  expect(await page.getByRole('textbox', { name: 'About' }).inputValue()).toBe('First line\nSecond line')
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
  await page.getByLabel('Current password').fill('not this one')
  await page.getByLabel('New password').fill('a longer password')
  await page.getByRole('button', { name: 'Change password' }).click()
  await page.getByText('The password is wrong.').waitFor()
  await page.getByLabel('Current password').fill(PASSWORD)
  await page.getByLabel('New password').fill('password')
  await page.getByRole('button', { name: 'Change password' }).click()
  await page.getByText('A password has at least 8 characters').waitFor()
  await page.getByLabel('New password').fill('a longer password')
  await page.getByRole('button', { name: 'Change password' }).click()
  await page.getByText('Your password is changed.').waitFor()
  await page.reload()
  await page.getByLabel('Display name').waitFor()

  await elsewhere.page.reload()
  await elsewhere.page.getByRole('heading', { name: 'Sign in' }).waitFor()
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
  await page.getByText('You have no app tokens.').waitFor()
  await page.getByRole('button', { name: 'New app token' }).focus()
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT')
  await page.keyboard.type('backup')
  for (const scope of ['write', 'share']) {
    await page.keyboard.press('Tab')
    if (scope === 'write') await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
  }
  await page.keyboard.press('Enter')
  await page.getByLabel('Token “backup”').waitFor()
  expect(await page.evaluate(() => document.activeElement?.getAttribute('readonly'))).not.toBeNull()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText('Copied', { exact: true }).waitFor()
  const token = await page.evaluate(() => navigator.clipboard.readText())
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })

  const headers = { authorization: `Bearer ${token}` }
  const drives = `${hall.base}/api/v1/drives`
  expect((await fetch(drives, { headers })).status).toBe(200)
  expect((await fetch(`${hall.base}/api/v1/trash`, { method: 'DELETE', headers })).status).toBe(403)
  await page.getByText('read files', { exact: true }).waitFor()
  expect((await page.content()).includes(token)).toBe(false)

  await page.getByRole('button', { name: 'Revoke backup' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click()
  await page.getByText('You have no app tokens.').waitFor()
  expect((await fetch(drives, { headers })).status).toBe(401)
})

test('an app token may end on a day, which is the last one where the person is', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive({ timezoneId: 'Pacific/Auckland' })
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.goto('profile')
  await page.getByRole('button', { name: 'New app token' }).click()
  await page.getByLabel('What it is for').fill('course')
  await page.getByLabel('It ends').selectOption('day')
  await page.getByLabel('Last day').fill('2031-07-01')
  const answer = page.waitForResponse((response) => response.url().endsWith('/me/tokens'))
  await page.getByRole('button', { name: 'Create' }).click()
  const { expires } = (await (await answer).json()) as { expires: string }
  expect(new Date(expires).toISOString()).toBe('2031-07-01T11:59:59.000Z')
  await page.getByRole('button', { name: 'Close', exact: true }).click()
  await page.getByText('ends 1 Jul 2031, 23:59').waitFor()
})
