import { expect, PASSWORD, test } from './support/test'

test('who is no administrator sees no way there, and is told so at the address', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  await person.signIn('ada', PASSWORD)
  const { page } = person
  await page.getByRole('link', { name: 'My files' }).first().waitFor()
  expect(await page.getByRole('link', { name: 'Administration' }).count()).toBe(0)
  for (const path of ['administration', 'administration/health']) {
    await page.goto(path)
    await page.getByRole('heading', { name: 'For administrators' }).waitFor()
    await page.getByText('You are signed in as ada').waitFor()
  }
  await page.getByRole('link', { name: 'Back to the start' }).click()
  await page.waitForURL('**/drive')
})

test('locking says what it ends, and ends it; unlocking lets the person in again', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('root', '--admin')
  hall.addAccount('ada')
  const token = hall.run(['token', 'add', '--account', 'ada'])
  const admin = await arrive()
  const ada = await arrive()
  ada.expectStatus(401)
  ada.expectStatus(423)
  await ada.signIn('ada', PASSWORD)
  await admin.signIn('root', PASSWORD)
  const { page } = admin
  await page.getByRole('link', { name: 'Administration' }).click()
  await page.getByRole('button', { name: 'Actions for ada' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Lock' }).press('Enter')
  const dialog = page.getByRole('dialog', { name: 'Lock ada?' })
  await dialog.getByText('every app token, for good').waitFor()
  // The harmless answer has the focus.
  await page.waitForFunction(() => document.activeElement?.textContent === 'Cancel')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText('ada is locked.').waitFor()
  await page.getByRole('row', { name: /ada.*Locked/ }).waitFor()

  await ada.page.reload()
  await ada.page.getByLabel('User name').fill('ada')
  await ada.page.getByLabel('Password').fill(PASSWORD)
  await ada.page.getByRole('button', { name: 'Sign in' }).click()
  await ada.page.getByText('This account is locked.').waitFor()
  const headers = { authorization: `Bearer ${token}` }
  expect((await fetch(`${hall.base}/api/v1/me`, { headers })).status).toBe(401)

  await page.getByRole('button', { name: 'Actions for ada' }).click()
  await page.getByRole('menuitem', { name: 'Unlock' }).click()
  await page.getByText('ada may sign in again.').waitFor()
  await ada.page.getByRole('button', { name: 'Sign in' }).click()
  await ada.page.waitForURL('**/drive')
})

test('an administrator resets a password, sets a quota and appoints another', async ({ hall, arrive }) => {
  hall.addAccount('root', '--admin')
  hall.addAccount('ada')
  const admin = await arrive()
  const ada = await arrive()
  ada.expectStatus(409)
  await admin.signIn('root', PASSWORD)
  const { page } = admin
  await page.goto('administration')
  const act = async (action: string) => {
    await page.getByRole('button', { name: 'Actions for ada' }).click()
    await page.getByRole('menuitem', { name: action }).click()
  }
  await act('Reset password')
  await page.getByRole('dialog').getByRole('button', { name: 'Reset password' }).click()
  const given = await page.getByRole('textbox', { name: 'Password of ada' }).inputValue()
  expect(given).toMatch(/^[a-z2-9]{5}-[a-z2-9]{5}-[a-z2-9]{5}$/)
  await page.getByRole('button', { name: 'Close', exact: true }).click()

  await act('Set space')
  await page.getByLabel('Space', { exact: true }).selectOption('own')
  await page.getByLabel('Amount').fill('1.5')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('row', { name: /ada.*0 B of 1\.5 GB/ }).waitFor()

  await act('Make administrator')
  await page.getByRole('dialog').getByRole('button', { name: 'Make administrator' }).click()
  await page.getByRole('row', { name: /ada.*Administrator/ }).waitFor()

  await ada.page.goto('sign-in')
  await ada.page.getByLabel('User name').fill('ada')
  await ada.page.getByLabel('Password').fill(given)
  await ada.page.getByRole('button', { name: 'Sign in' }).click()
  await ada.page.getByLabel('Choose a new password').fill('chosen by herself')
  await ada.page.getByRole('button', { name: 'Save and sign in' }).click()
  await ada.page.getByText('0 B of 1.5 GB used').waitFor()
  await ada.page.getByRole('link', { name: 'Administration' }).waitFor()
})

test('people are searched, read page by page, and nobody can shut out themselves', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('root', '--admin')
  const body = (username: string) => JSON.stringify({ username, password: PASSWORD, email: null })
  const headers = { 'content-type': 'application/json' }
  for (let index = 0; index < 60; index += 1) {
    const username = `student ${String(index).padStart(2, '0')}`
    const made = await fetch(`${hall.base}/api/v1/accounts`, {
      method: 'POST',
      headers,
      body: body(username),
    })
    expect(made.status).toBe(201)
  }
  const admin = await arrive({ locale: 'zh-CN' })
  await admin.signIn('root', PASSWORD)
  const { page } = admin
  await page.goto('administration')
  await page.getByText('student 48').waitFor()
  expect(await page.getByText('student 59').count()).toBe(0)
  await page.getByRole('button', { name: '加载更多' }).click()
  await page.getByText('student 59').waitFor()

  await page.getByLabel('搜索').fill('ROO')
  await page.getByText('student 59').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: '“root”的操作' }).click()
  await page.getByRole('menuitem', { name: '设置空间' }).waitFor()
  expect(await page.getByRole('menuitem', { name: '锁定' }).count()).toBe(0)
  await page.keyboard.press('Escape')
  await page.getByLabel('搜索').fill('nobody of this name')
  await page.getByText('没有找到用户。').waitFor()
})

test('the health of each part is shown, also of a hall that is not ready', async ({ hall, arrive }) => {
  hall.addAccount('root', '--admin')
  const admin = await arrive()
  admin.expectStatus(503)
  await admin.signIn('root', PASSWORD)
  const { page } = admin
  await page.goto('administration')
  await page.getByRole('link', { name: 'Health' }).click()
  await page.getByText('Everything works.').waitFor()
  await page.getByRole('listitem').filter({ hasText: 'Database' }).getByText('Works').waitFor()
  const parts = [
    { name: 'database', required: true, up: true },
    { name: 'primary', required: true, up: false, detail: 'no answer in time' },
  ]
  await page.route('**/readyz', (route) => route.fulfill({ status: 503, json: { status: 'down', parts } }))
  await page.getByRole('button', { name: 'Look again' }).click()
  await page.getByText('A part that the hall needs does not work.').waitFor()
  await page
    .getByRole('listitem')
    .filter({ hasText: 'Store “primary”' })
    .getByText('no answer in time')
    .waitFor()
})
