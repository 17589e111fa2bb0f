import { expect, PASSWORD, test } from '../support/test'
import { say } from '../support/words'
import { Person } from '../support/browser'

test('folders are made, opened, renamed, deleted and brought back', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  const row = (name: string) => page.getByRole('row', { name: new RegExp(name) })

  await page.getByRole('button', { name: say('drive.newFolder') }).click()
  await page.getByLabel(say('drive.name'), { exact: true }).fill('Lectures')
  await page.getByRole('button', { name: say('drive.make') }).click()
  await page.getByRole('link', { name: 'Lectures' }).click()
  await page.getByText(say('drive.empty')).waitFor()
  expect(await page.getByRole('navigation', { name: say('drive.path') }).innerText()).toContain('Lectures')
  await page
    .getByRole('navigation', { name: say('drive.path') })
    .getByRole('link', { name: say('drive.title') })
    .click()

  await page.getByRole('button', { name: say('drive.actionsOf', { name: 'Lectures' }) }).click()
  await page.getByRole('menuitem', { name: say('drive.rename') }).click()
  await page.getByLabel(say('drive.name'), { exact: true }).fill('Lectures 2026')
  await page
    .getByRole('dialog')
    .getByRole('button', { name: say('drive.rename') })
    .click()
  await row('Lectures 2026').waitFor()

  await page.getByRole('button', { name: say('drive.actionsOf', { name: 'Lectures 2026' }) }).click()
  await page.getByRole('menuitem', { name: say('drive.delete') }).click()
  await row('Lectures 2026').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: say('drive.undo') }).click()
  await row('Lectures 2026').waitFor()
})

test('a name that is taken or no name is refused at its field, and the dialog stays', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  const person = await arrive()
  person.expectStatus(409)
  person.expectStatus(422)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  for (const [name, refusal] of [
    ['Lectures', undefined],
    ['Lectures', say('problem.kind.already_exists')],
    ['a/b', say('problem.field.name')],
  ] as const) {
    if (refusal !== say('problem.field.name'))
      await page.getByRole('button', { name: say('drive.newFolder') }).click()
    await page.getByLabel(say('drive.name'), { exact: true }).fill(name)
    await page.getByRole('button', { name: say('drive.make') }).click()
    if (refusal) await page.getByText(refusal).waitFor()
    else await page.getByRole('link', { name }).waitFor()
  }
})

test('a list is walked with the keyboard alone', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page
    .locator('input[type=file][multiple]')
    .setInputFiles(
      ['a', 'b', 'c'].map((name) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(name) })),
    )
  await page.getByRole('link', { name: 'c', exact: true }).waitFor()
  const focused = () => page.evaluate(() => document.activeElement?.textContent)

  await page.getByRole('link', { name: 'a', exact: true }).focus()
  await page.keyboard.press('ArrowDown')
  await page.waitForFunction(() => document.activeElement?.textContent === 'b')
  await page.keyboard.press('End')
  await page.waitForFunction(() => document.activeElement?.textContent === 'c')
  await page.keyboard.press('F2')
  await page.getByRole('dialog').waitFor()
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT')
  await page.keyboard.type('d')
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'd', exact: true }).waitFor()
  await page.getByRole('link', { name: 'a', exact: true }).focus()
  await page.keyboard.press('Delete')
  await page.waitForFunction(() => document.activeElement?.textContent === 'b')
  expect(await focused()).toBe('b')
})

test('files that are dropped on a folder are uploaded into it', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByText(say('drive.empty')).waitFor()
  const transfer = await page.evaluateHandle(() => {
    const data = new DataTransfer()
    data.items.add(new File(['hello'], 'dropped.txt', { type: 'text/plain' }))
    data.items.add(new File([], 'empty.txt', { type: 'text/plain' }))
    return data
  })
  const target = page.locator('.drive-view')
  await target.dispatchEvent('dragenter', { dataTransfer: transfer })
  await page.getByText(say('drive.dropHere')).waitFor()
  await target.dispatchEvent('drop', { dataTransfer: transfer })
  for (const name of ['dropped.txt', 'empty.txt']) await page.getByRole('link', { name }).waitFor()
  await page.getByText(say('transfers.allDone')).waitFor()
})

test('a file that can not be stored is said to be so, and may be tried again', async ({
  startHall,
  arrive,
}) => {
  const hall = await startHall('[policy]\nmax_file_bytes = 1000\n')
  hall.addAccount('ada')
  const person = await arrive()
  person.expectStatus(413)
  const { page } = person
  await person.signIn('ada', PASSWORD)
  const file = { name: 'large.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(1001) }
  await page.locator('input[type=file][multiple]').setInputFiles(file)
  await page.getByText(say('problem.kind.too_large')).waitFor()
  await page.getByRole('button', { name: say('transfers.retry', { name: 'large.bin' }) }).click()
  await page.getByText(say('problem.kind.too_large')).waitFor()
  await page.getByRole('button', { name: say('transfers.cancel', { name: 'large.bin' }) }).click()
  await page.locator('.transfer-row').waitFor({ state: 'detached' })
})

test('sorting asks the hall, and a folder of 1,500 is read page by page', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const token = hall.run(['token', 'add', '--account', 'ada'])
  const headers = { authorization: `Bearer ${token}` }
  const drives = (await (await fetch(`${hall.base}/api/v1/drives`, { headers })).json()) as {
    items: { root: string }[]
  }
  const folder = `${hall.base}/api/v1/nodes/${drives.items[0]?.root}/children`
  const names = Array.from({ length: 1500 }, (_, index) => `file ${String(index).padStart(4, '0')}`)
  while (names.length > 0) {
    const some = names.splice(0, 50)
    await Promise.all(
      some.map((name) =>
        fetch(`${folder}/${encodeURIComponent(name)}`, {
          method: 'PUT',
          headers,
          body: name.slice(0, 5 + (name.length % 3)),
        }),
      ),
    )
  }
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('link', { name: 'file 0000' }).focus()
  // Each End goes to the end of what is known; it grows until all is.
  for (
    let tries = 0;
    tries < 20 && !(await page.getByRole('link', { name: 'file 1499' }).count());
    tries += 1
  ) {
    await page.keyboard.press('End')
    await page.waitForLoadState('networkidle')
  }
  await page.getByRole('link', { name: 'file 1499' }).waitFor()
  expect(await page.getByRole('row').count()).toBeLessThan(80)
  await page
    .getByRole('columnheader', { name: say('drive.name') })
    .getByRole('button')
    .click()
  await page.getByRole('row', { name: 'file 1499' }).waitFor()
  expect(await page.getByRole('columnheader', { name: say('drive.name') }).getAttribute('aria-sort')).toBe(
    'descending',
  )
})

test('the page works below a path prefix', async ({ startHall, arrive }) => {
  const hall = await startHall('[http]\nprefix = "/portal/disk"\n\n[page]\nname = "云盘"\n')
  hall.addAccount('ada')
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('button', { name: say('drive.newFolder') }).click()
  await page.getByLabel(say('drive.name'), { exact: true }).fill('Lectures')
  await page.getByRole('button', { name: say('drive.make') }).click()
  await page.getByRole('link', { name: 'Lectures' }).click()
  await page.getByText(say('drive.empty')).waitFor()
  await page.reload()
  await page.getByText(say('drive.empty')).waitFor()
  expect(new URL(page.url()).pathname).toMatch(/^\/portal\/disk\/drive\/.+/)
  expect(await page.title()).toContain('云盘')
})

test('the console is watched: a script that the policy forbids fails a test', async ({ hall, browser }) => {
  const person = await Person.arrive(browser, hall.base)
  await person.page.goto('./')
  await person.page.evaluate(() => {
    const script = document.createElement('script')
    script.textContent = 'window.broken = true'
    document.head.append(script)
  })
  await expect(person.leave()).rejects.toThrow('Content Security Policy')
})
