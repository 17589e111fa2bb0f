import { expect, PASSWORD, test } from '../support/test'
import { isNarrow, say } from '../support/words'

test('who is no administrator sees no way there, and is told so at the address', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  await person.signIn('ada', PASSWORD)
  const { page } = person
  await page
    .getByRole('link', { name: say('drive.title') })
    .first()
    .waitFor()
  expect(await page.getByRole('link', { name: say('administration.title') }).count()).toBe(0)
  for (const path of ['administration', 'administration/health']) {
    await page.goto(path)
    await page.getByRole('heading', { name: say('administration.only') }).waitFor()
    await page.getByText(say('administration.onlyHint', { name: 'ada' })).waitFor()
  }
  await page.getByRole('link', { name: say('nowhere.home') }).click()
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
  await page.getByRole('link', { name: say('administration.title') }).click()
  await page.getByRole('button', { name: say('drive.actionsOf', { name: 'ada' }) }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: say('administration.lock') }).press('Enter')
  const dialog = page.getByRole('dialog', { name: say('administration.lockWhom', { name: 'ada' }) })
  await dialog.getByText(say('administration.lockTokens')).waitFor()
  // The harmless answer has the focus.
  await page.waitForFunction((cancel) => document.activeElement?.textContent === cancel, say('frame.cancel'))
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText(say('administration.lockedNow', { name: 'ada' })).waitFor()
  await page.getByRole('row', { name: new RegExp(`ada.*${say('administration.locked')}`) }).waitFor()

  await ada.page.reload()
  await ada.page.getByLabel(say('session.username')).fill('ada')
  await ada.page.getByLabel(say('session.password')).fill(PASSWORD)
  await ada.page.getByRole('button', { name: say('session.signIn') }).click()
  await ada.page.getByText(say('problem.kind.locked')).waitFor()
  const headers = { authorization: `Bearer ${token}` }
  expect((await fetch(`${hall.base}/api/v1/me`, { headers })).status).toBe(401)

  await page.getByRole('button', { name: say('drive.actionsOf', { name: 'ada' }) }).click()
  await page.getByRole('menuitem', { name: say('administration.unlock') }).click()
  await page.getByText(say('administration.unlockedNow', { name: 'ada' })).waitFor()
  await ada.page.getByRole('button', { name: say('session.signIn') }).click()
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
    await page.getByRole('button', { name: say('drive.actionsOf', { name: 'ada' }) }).click()
    await page.getByRole('menuitem', { name: action }).click()
  }
  await act(say('administration.reset'))
  await page
    .getByRole('dialog')
    .getByRole('button', { name: say('administration.reset') })
    .click()
  const given = await page
    .getByRole('textbox', { name: say('administration.passwordOf', { name: 'ada' }) })
    .inputValue()
  expect(given).toMatch(/^[a-z2-9]{5}-[a-z2-9]{5}-[a-z2-9]{5}$/)
  await page.getByRole('button', { name: say('frame.close'), exact: true }).click()

  await act(say('administration.setQuota'))
  await page.getByLabel(say('administration.quota'), { exact: true }).selectOption('own')
  await page.getByLabel(say('administration.amount')).fill('1.5')
  await page.getByRole('button', { name: say('profile.save') }).click()
  await page
    .getByRole('row', {
      name: new RegExp(`ada.*${say('administration.usedOf', { used: '0 B', quota: '1.5 GB' })}`),
    })
    .waitFor()

  await act(say('administration.appoint'))
  await page
    .getByRole('dialog')
    .getByRole('button', { name: say('administration.appoint') })
    .click()
  await page.getByRole('row', { name: new RegExp(`ada.*${say('administration.administrator')}`) }).waitFor()

  await ada.page.goto('sign-in')
  await ada.page.getByLabel(say('session.username')).fill('ada')
  await ada.page.getByLabel(say('session.password')).fill(given)
  await ada.page.getByRole('button', { name: say('session.signIn') }).click()
  await ada.page.getByLabel(say('session.newPassword')).fill('chosen by herself')
  await ada.page.getByRole('button', { name: say('session.savePassword') }).click()
  await ada.page.waitForURL('**/drive')
  // A phone has no room for it beside the page.
  if (isNarrow) await ada.page.goto('profile')
  await ada.page.getByText(say('frame.usedOf', { used: '0 B', quota: '1.5 GB' })).waitFor()
  await ada.page.getByRole('link', { name: say('administration.title') }).waitFor()
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
  const admin = await arrive()
  await admin.signIn('root', PASSWORD)
  const { page } = admin
  await page.goto('administration')
  await page.getByText('student 48').waitFor()
  expect(await page.getByText('student 59').count()).toBe(0)
  await page.getByRole('button', { name: say('administration.more') }).click()
  await page.getByText('student 59').waitFor()

  await page.getByLabel(say('administration.search')).fill('ROO')
  await page.getByText('student 59').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: say('drive.actionsOf', { name: 'root' }) }).click()
  await page.getByRole('menuitem', { name: say('administration.setQuota') }).waitFor()
  expect(await page.getByRole('menuitem', { name: say('administration.lock') }).count()).toBe(0)
  await page.keyboard.press('Escape')
  await page.getByLabel(say('administration.search')).fill('nobody of this name')
  await page.getByText(say('administration.nobody')).waitFor()
})

test('the health of each part is shown, also of a hall that is not ready', async ({ hall, arrive }) => {
  hall.addAccount('root', '--admin')
  const admin = await arrive()
  admin.expectStatus(503)
  await admin.signIn('root', PASSWORD)
  const { page } = admin
  await page.goto('administration')
  await page.getByRole('link', { name: say('administration.health') }).click()
  await page.getByText(say('administration.summary.allUp')).waitFor()
  await page
    .getByRole('listitem')
    .filter({ hasText: say('administration.part.database') })
    .getByText(say('administration.condition.up'))
    .waitFor()
  const parts = [
    { name: 'database', required: true, up: true },
    {
      name: 'primary',
      required: true,
      up: false,
      read_only: true,
      detail: 'it takes no new bytes: safe mode',
      reasons: ['safe mode'],
      free_bytes: 3 * 1024 ** 3,
      total_bytes: 10 * 1024 ** 3,
      figures: [{ name: 'live_nodes', value: 3 }],
    },
    { name: 'archive', required: false, up: false, detail: 'no answer in time' },
  ]
  await page.route('**/readyz', (route) => route.fulfill({ status: 503, json: { status: 'down', parts } }))
  await page.getByRole('button', { name: say('administration.lookAgain') }).click()
  await page.getByText(say('administration.summary.allDown')).waitFor()
  const store = (name: string) =>
    page.getByRole('listitem').filter({ hasText: say('administration.store', { name }) })
  await store('archive').getByText('no answer in time').waitFor()
  const primary = store('primary')
  await primary.getByText(say('administration.condition.readOnly')).waitFor()
  await primary.getByText('safe mode', { exact: true }).waitFor()
  await primary.getByText(say('administration.free', { free: '3 GB', total: '10 GB' })).waitFor()
  await primary.getByText(say('administration.figure.live_nodes', { value: '3' })).waitFor()
})
