import { expect, PASSWORD, test, type Person } from '../support/test'
import { say } from '../support/words'

/** Names that would run where they were taken for markup, for an address, for a template or for a message. */
const HOSTILE = [
  '<script>window.ran = 1<script>',
  '<img src=x onerror="window.ran = 1">',
  '"><svg onload=window.ran=1>',
  "' autofocus onfocus='window.ran=1' x='",
  'javascript:window.ran=1',
  '{{ constructor.constructor("window.ran = 1")() }}',
  '${window.ran = 1}',
  '@:profile.title {name} | %s',
]

/** A slash can be no name of a file, and may be in a display name. */
const DISPLAY_NAME = '</span><script>window.ran = 1</script><img src=x onerror=window.ran=1>'

test('hostile names of files, folders, people and shares are shown as text, and nothing runs', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('root', '--admin')
  const root = await signedIn(hall.base, 'root')
  await root('PATCH', 'me', { display_name: DISPLAY_NAME, about: DISPLAY_NAME, phone: HOSTILE[1] })
  await root('POST', 'me/tokens', { name: DISPLAY_NAME })
  const drives = (await root('GET', 'drives')) as { items: { root: string }[] }
  const folder = `nodes/${drives.items[0]?.root}/children`
  const shares: string[] = []
  for (const name of HOSTILE) {
    const made = (await root('POST', folder, { name, kind: 'folder' })) as { id: string }
    await root('PUT', `nodes/${made.id}/children/${encodeURIComponent(name)}`)
    const share = (await root('POST', `nodes/${made.id}/shares`, {})) as { token: string }
    shares.push(share.token)
  }

  const person = await arrive()
  const { page } = person
  page.on('dialog', (dialog) => expect.fail(`a dialog opened: ${dialog.message()}`))
  await person.signIn('root', PASSWORD)
  for (const name of HOSTILE) {
    const link = page.getByRole('link', { name, exact: true })
    await link.click()
    await page
      .getByRole('navigation', { name: say('drive.path') })
      .getByText(name, { exact: true })
      .waitFor()
    await page.getByRole('grid').getByRole('link', { name, exact: true }).waitFor()
    await page.getByRole('button', { name: say('drive.actionsOf', { name }) }).click()
    await page.getByRole('menuitem', { name: say('drive.rename') }).click()
    await page.keyboard.press('Escape')
    await nothingRan(person)
    await page.goto('drive')
  }
  const visitor = await arrive()
  for (const [index, token] of shares.entries()) {
    await visitor.page.goto(`s/${token}`)
    await visitor.page
      .getByText(HOSTILE[index] ?? '', { exact: true })
      .first()
      .waitFor()
    await nothingRan(visitor)
  }

  // Deleting puts a name into a message, uploading into the list of transfers.
  const [first = ''] = HOSTILE
  await page.getByRole('button', { name: say('drive.actionsOf', { name: first }) }).click()
  await page.getByRole('menuitem', { name: say('drive.delete') }).click()
  await page.getByText(say('drive.deleted', { name: first })).waitFor()
  await page.getByRole('button', { name: say('drive.undo') }).click()
  await page
    .locator('.drive-view input[type=file]')
    .first()
    .setInputFiles(
      HOSTILE.map((name) => ({ name: `${name}.txt`, mimeType: 'text/html', buffer: Buffer.from('x') })),
    )
  await page.getByText(say('transfers.allDone')).waitFor()
  await page.getByRole('link', { name: say('transfers.title') }).click()
  for (const name of HOSTILE) await page.getByText(`${name}.txt`, { exact: true }).first().waitFor()
  await nothingRan(person)

  await page.goto('profile')
  await page.getByText(DISPLAY_NAME, { exact: true }).first().waitFor()
  await page.getByRole('button', { name: say('profile.revokeToken', { name: DISPLAY_NAME }) }).click()
  await page
    .getByRole('dialog')
    .getByText(say('profile.revokeToken', { name: DISPLAY_NAME }))
    .waitFor()
  await nothingRan(person)
  await page.goto('administration')
  await page.getByRole('cell', { name: DISPLAY_NAME }).waitFor()
  await nothingRan(person)
})

/** Asks the hall as somebody, past the page. */
async function signedIn(base: string, username: string) {
  const json = { 'content-type': 'application/json' }
  const body = JSON.stringify({ username, password: PASSWORD })
  const session = await fetch(`${base}/api/v1/session`, { method: 'POST', headers: json, body })
  const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  return async (method: string, path: string, body?: object): Promise<unknown> => {
    const headers = { cookie, ...(body && json) }
    const answer = await fetch(`${base}/api/v1/${path}`, {
      method,
      headers,
      body: method === 'PUT' ? 'x' : body && JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
}

/** That no name ran, and none became an element. Breaches of the policy fail when the person leaves. */
async function nothingRan({ page }: Person) {
  expect(await page.evaluate(() => (window as unknown as { ran?: number }).ran)).toBeUndefined()
  expect(
    await page.locator('[onerror], [onload], [onfocus], body script, a[href^="javascript:"]').count(),
  ).toBe(0)
}
