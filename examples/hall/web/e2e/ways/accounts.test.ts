import { expect, PASSWORD, test } from '../support/test'
import { look, say } from '../support/words'

import { LOCALE_NAMES } from '@/i18n'

test('the setup link makes the first administrator and leaves the address bar', async ({ hall, arrive }) => {
  const { page } = await arrive()
  await page.goto(hall.setupLink ?? '')
  await page.getByLabel(say('session.username')).fill('root')
  await page.getByLabel(say('session.password')).fill(PASSWORD)
  expect(page.url()).not.toContain('token')
  await page.getByRole('button', { name: say('setup.submit') }).click()
  await page.getByRole('heading', { name: say('drive.title') }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: say('drive.title') }).waitFor()
  expect(hall.run(['account', 'list'])).toContain('root')
})

test('people register, sign out, and sign in again where they were', async ({ hall, arrive }) => {
  const { page } = await arrive()
  await page.goto('transfers')
  await page.getByRole('link', { name: say('session.registerLink') }).click()
  // Of the fields, signing in has all but this one: filled first, it waits for the page that is coming.
  await page.getByLabel(say('session.email')).fill('grace@campus.example')
  await page.getByLabel(say('session.username')).fill('grace')
  await page.getByLabel(say('session.password')).fill(PASSWORD)
  await page.getByRole('button', { name: say('session.register') }).click()
  await page.getByRole('heading', { name: say('transfers.title') }).waitFor()

  await page.getByRole('button', { name: say('session.account', { name: 'grace' }) }).click()
  await page.getByRole('menuitem', { name: say('session.signOut') }).click()
  await page.getByRole('heading', { name: say('session.signIn') }).waitFor()
  expect(await page.context().cookies(hall.base)).toEqual([])
  await page.goto('drive')
  await page.waitForURL('**/sign-in?back=/drive')
})

test('what is wrong with a registration is said at its field', async ({ arrive }) => {
  const person = await arrive()
  person.expectStatus(422)
  const { page } = person
  await page.goto('register')
  await page.getByLabel(say('session.username')).fill('grace')
  await page.getByLabel(say('session.password')).fill('password')
  await page.getByRole('button', { name: say('session.register') }).click()
  await page.getByText(say('problem.field.password')).waitFor()
  expect(await page.getByLabel(say('session.password')).getAttribute('aria-invalid')).toBe('true')
})

test('a wrong password is said in plain words, and does not tell whether there is such an account', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  const person = await arrive()
  person.expectStatus(401)
  const { page } = person
  await page.goto('./')
  for (const name of ['ada', 'nobody']) {
    await page.getByLabel(say('session.username')).fill(name)
    await page.getByLabel(say('session.password'), { exact: true }).fill('wrong wrong')
    await page.getByRole('button', { name: say('session.signIn') }).click()
    await page.getByText(say('session.wrong')).waitFor()
  }
})

test('who signs in to be remembered still is when the browser was closed', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const { page } = await arrive()
  await page.goto('./')
  await page.getByLabel(say('session.username')).fill('ada')
  await page.getByLabel(say('session.password')).fill(PASSWORD)
  await page.getByText(say('session.remember')).click()
  await page.getByRole('button', { name: say('session.signIn') }).click()
  await page.getByRole('heading', { name: say('drive.title') }).waitFor()
  const lasting = (await page.context().cookies()).filter(
    ({ expires }) => expires > Date.now() / 1000 + 86_400,
  )
  expect(lasting.map(({ name }) => name)).toEqual(['campusdisk_session'])
})

test('a password that was reset must be changed before anything else', async ({ hall, arrive }) => {
  hall.addAccount('root', '--admin')
  hall.addAccount('ada')
  const headers = { authorization: `Bearer ${hall.run(['token', 'add', '--account', 'root'])}` }
  const admin = `${hall.base}/api/v1/admin/accounts`
  const { items } = (await (await fetch(admin, { headers })).json()) as {
    items: { id: string; username: string }[]
  }
  const ada = items.find(({ username }) => username === 'ada')?.id
  const body = JSON.stringify({ new: 'given by the office' })
  const json = { ...headers, 'content-type': 'application/json' }
  expect((await fetch(`${admin}/${ada}/password`, { method: 'PUT', headers: json, body })).status).toBe(204)

  const person = await arrive()
  person.expectStatus(409)
  const { page } = person
  await page.goto('./')
  await page.getByLabel(say('session.username')).fill('ada')
  await page.getByLabel(say('session.password')).fill('given by the office')
  await page.getByRole('button', { name: say('session.signIn') }).click()
  await page.getByRole('heading', { name: say('session.newPassword') }).waitFor()
  await page.getByLabel(say('session.newPassword')).fill('chosen by herself')
  await page.getByRole('button', { name: say('session.savePassword') }).click()
  await page.getByRole('heading', { name: say('drive.title') }).waitFor()
})

test('a session that ended leads to signing in and back', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  person.expectStatus(401)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  // What the drive still asks for would be refused while the transfers are shown, and signing in would lead back to those.
  await page.getByText(say('drive.empty')).waitFor()
  await page.getByRole('link', { name: say('transfers.title') }).click()
  await page.getByRole('heading', { name: say('transfers.title') }).waitFor()
  await page.context().clearCookies()
  await page.getByRole('link', { name: say('drive.title') }).click()
  await page.getByText(say('session.ended')).waitFor()
  await page.getByLabel(say('session.username')).fill('ada')
  await page.getByLabel(say('session.password')).fill(PASSWORD)
  await page.getByRole('button', { name: say('session.signIn') }).click()
  await page.getByRole('heading', { name: say('drive.title') }).waitFor()
})

test('language and theme are chosen in the page and kept', async ({ arrive }) => {
  const other = look.locale === 'en' ? 'zh-CN' : 'en'
  const { page } = await arrive()
  await page.goto('./')
  await page.getByRole('button', { name: say('frame.language') }).click()
  await page.getByRole('menuitem', { name: LOCALE_NAMES[other] }).click()
  await page.getByRole('heading', { name: say('session.signIn', {}, other) }).waitFor()
  await page.getByRole('button', { name: say('frame.theme.label', {}, other) }).click()
  await page.getByRole('menuitem', { name: say('frame.theme.dark', {}, other) }).click()
  await page.reload()
  await page.getByRole('heading', { name: say('session.signIn', {}, other) }).waitFor()
  expect(await page.locator('html').getAttribute('class')).toContain('dark')
  expect(await page.locator('html').getAttribute('lang')).toBe(other)
})
