import { expect, PASSWORD, test } from './support/test'

test('the setup link makes the first administrator and leaves the address bar', async ({ hall, arrive }) => {
  const { page } = await arrive()
  await page.goto(hall.setupLink ?? '')
  await page.getByLabel('User name').fill('root')
  await page.getByLabel('Password').fill(PASSWORD)
  expect(page.url()).not.toContain('token')
  await page.getByRole('button', { name: 'Make it and sign in' }).click()
  await page.getByRole('heading', { name: 'My files' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'My files' }).waitFor()
  expect(hall.run(['account', 'list'])).toContain('root')
})

test('people register, sign out, and sign in again where they were', async ({ hall, arrive }) => {
  const { page } = await arrive()
  await page.goto('transfers')
  await page.getByRole('link', { name: 'No account yet? Register' }).click()
  await page.getByLabel('User name').fill('grace')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByLabel('Email').fill('grace@campus.example')
  await page.getByRole('button', { name: 'Register' }).click()
  await page.getByRole('heading', { name: 'Transfers' }).waitFor()

  await page.getByRole('button', { name: 'Account of grace' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  expect(await page.context().cookies(hall.base)).toEqual([])
  await page.goto('drive')
  await page.waitForURL('**/sign-in?back=/drive')
})

test('what is wrong with a registration is said at its field', async ({ arrive }) => {
  const person = await arrive()
  person.expectStatus(422)
  const { page } = person
  await page.goto('register')
  await page.getByLabel('User name').fill('grace')
  await page.getByLabel('Password').fill('password')
  await page.getByRole('button', { name: 'Register' }).click()
  await page.getByText('A password has at least 8 characters').waitFor()
  expect(await page.getByLabel('Password').getAttribute('aria-invalid')).toBe('true')
})

test('a wrong password is said in plain words, and does not tell whether there is such an account', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  const person = await arrive({ locale: 'zh-CN' })
  person.expectStatus(401)
  const { page } = person
  await page.goto('./')
  for (const name of ['ada', 'nobody']) {
    await page.getByLabel('用户名').fill(name)
    await page.getByLabel('密码', { exact: true }).fill('wrong wrong')
    await page.getByRole('button', { name: '登录' }).click()
    await page.getByText('用户名或密码不正确。').waitFor()
  }
})

test('who signs in to be remembered still is when the browser was closed', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const { page } = await arrive()
  await page.goto('./')
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByText('Keep me signed in').click()
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'My files' }).waitFor()
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
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill('given by the office')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor()
  await page.getByLabel('Choose a new password').fill('chosen by herself')
  await page.getByRole('button', { name: 'Save and sign in' }).click()
  await page.getByRole('heading', { name: 'My files' }).waitFor()
})

test('a session that ended leads to signing in and back', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  person.expectStatus(401)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('link', { name: 'Transfers' }).click()
  await page.getByRole('heading', { name: 'Transfers' }).waitFor()
  await page.context().clearCookies()
  await page.getByRole('link', { name: 'My files' }).click()
  await page.getByText('Your session has ended').waitFor()
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'My files' }).waitFor()
})

test('language and theme are chosen in the page and kept', async ({ arrive }) => {
  const { page } = await arrive()
  await page.goto('./')
  await page.getByRole('button', { name: 'Language' }).click()
  await page.getByRole('menuitem', { name: '简体中文' }).click()
  await page.getByRole('heading', { name: '登录' }).waitFor()
  await page.getByRole('button', { name: '外观' }).click()
  await page.getByRole('menuitem', { name: '深色' }).click()
  await page.reload()
  await page.getByRole('heading', { name: '登录' }).waitFor()
  expect(await page.locator('html').getAttribute('class')).toContain('dark')
  expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')
})
