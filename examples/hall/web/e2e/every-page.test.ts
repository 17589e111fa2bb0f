import { randomBytes } from 'node:crypto'

import type { Page } from 'playwright-core'

import { violations } from './support/axe'
import { expect, PASSWORD, PHONE, test, WIDE, type Person } from './support/test'

/** Paths of shares: with a password, without, and one that takes files in. */
type Shares = Record<'closed' | 'open' | 'drop', string>

/** Every page, as the looks below see it: its name, and the way there. */
const PAGES: Record<string, (person: Person, share: Shares) => Promise<void>> = {
  setup: (person) => open(person, 'setup?token=none', 'form'),
  'sign-in': (person) => open(person, 'sign-in', 'form'),
  register: (person) => open(person, 'register', 'form'),
  nowhere: (person) => open(person, 'nowhere/at/all', 'h1'),
  visit: (person, share) => open(person, share.closed, 'form'),
  'visit-drop': async (person, share) => {
    await open(person, share.drop, '.zone')
    const file = { name: '作业 homework by Grace Hopper.txt', mimeType: '', buffer: randomBytes(10) }
    await person.page.locator('input[type=file][multiple]').setInputFiles(file)
    await person.page.locator('li.done').waitFor()
  },
  drive: async (person) => {
    await person.signIn('ada', PASSWORD)
    await person.page.locator('.node-row').first().waitFor()
  },
  'drive-menu': async ({ page }) => {
    await page.locator('.node-row button').first().click()
    await page.locator('[role=menuitem] >> visible=true').first().waitFor()
  },
  preview: async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.locator('.row-link', { hasText: 'onerror' }).click()
    await page.locator('.sheet').waitFor()
  },
  'drive-chosen': async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.locator('.el-dialog >> visible=true').waitFor({ state: 'hidden' })
    for (const row of [0, 1]) await page.locator('.node-row input').nth(row).click()
    await page.locator('.selection-bar').waitFor()
  },
  move: async ({ page }) => {
    await page.locator('.selection-bar button').nth(1).click()
    await page.locator('.folders button').first().waitFor()
  },
  details: async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.locator('.el-dialog >> visible=true').waitFor({ state: 'hidden' })
    await page.locator('.selection-bar button').last().click()
    await page.locator('.node-row').nth(1).click({ button: 'right' })
    await chooseShown(page, 6)
    await page.locator('.node-shares li').nth(1).waitFor()
  },
  'new-folder': async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.locator('.buttons button').first().click()
    await page.locator('.el-dialog input').waitFor()
  },
  'share-dialog': async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.locator('.el-dialog').waitFor({ state: 'hidden' })
    await choose(page, 1)
    await page.locator('#share-form').waitFor()
    await page.locator('#share-form summary').click()
  },
  'share-made': async ({ page }) => {
    await page.locator('.el-dialog button[type=submit]').click()
    await page.locator('.qr-code').waitFor()
  },
  'empty-folder': async (person) => {
    await person.page.keyboard.press('Escape')
    await person.page.locator('.node-row a').first().click()
    await person.page.locator('.empty-state').waitFor()
  },
  transfers: async ({ page }) => {
    await page
      .locator('input[type=file][multiple]')
      .setInputFiles({ name: 'a.txt', mimeType: '', buffer: randomBytes(10) })
    await page.locator('.transfer-row.done').waitFor()
    await page.locator('nav a[href$=transfers]').click()
    await page.locator('main .transfer-row').waitFor()
  },
  shares: async ({ page }) => {
    await page.locator('nav a[href$=shares]').click()
    await page.locator('.share-row').first().waitFor()
  },
  'share-revoke': async ({ page }) => {
    await page.locator('.share-row button').last().click()
    await page.locator('.el-dialog .el-button--danger').waitFor()
  },
  search: async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.goto('search?q=o')
    await page.locator('.results li').first().waitFor()
  },
  'search-nothing': async ({ page }) => {
    await page.locator('.search-field input').fill('zzz')
    await page.keyboard.press('Enter')
    await page.locator('.empty-state').waitFor()
  },
  trash: async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.locator('nav a[href$=trash]').click()
    await page.locator('.trash-row').first().waitFor()
  },
  'trash-empty-dialog': async ({ page }) => {
    await page.locator('.bar button').click()
    await page.locator('.el-dialog .el-button--danger').waitFor()
  },
  'trash-empty': async ({ page }) => {
    await page.locator('.el-dialog .el-button--danger').click()
    await page.locator('.empty-state').waitFor()
  },
  'visit-save': async (person, share) => {
    await open(person, share.open, '.save-button button')
  },
  profile: async (person) => {
    await open(person, 'profile', '.app-tokens p')
    await person.page.locator('.session-list li').first().waitFor()
  },
  'session-end': async ({ page }) => {
    await page.locator('.session-list li button').first().click()
    await page.locator('.el-dialog .el-button--danger').waitFor()
  },
  'new-token': async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.locator('.el-dialog >> visible=true').waitFor({ state: 'hidden' })
    await page.locator('.app-tokens button').first().click()
    await page.locator('#token-form select').selectOption('day')
    await page.locator('#token-form input[type=date]').fill('2031-07-01')
  },
  'token-secret': async ({ page }) => {
    await page.locator('#token-form input').first().fill('backup')
    await page.locator('[form=token-form]').click()
    await page.locator('.secret-box').waitFor()
  },
  'unfinished-transfer': async (person) => {
    const headers = {
      'tus-resumable': '1.0.0',
      'upload-length': '700000000',
      'upload-metadata': `filename ${Buffer.from('毕业论文答辩录像 2026-06-12.mp4').toString('base64')}`,
    }
    await person.page.evaluate((headers) => fetch('api/v1/uploads', { method: 'POST', headers }), headers)
    await open(person, 'transfers', '.transfer-row.unfinished')
  },
  'administrators-only': (person) => open(person, 'administration', 'h1'),
  people: async (person) => {
    await person.context.clearCookies()
    await person.signIn('root', PASSWORD)
    await open(person, 'administration', '.person-row')
  },
  lock: async ({ page }) => {
    await page.locator('.person-row button').first().click()
    await chooseShown(page, 0)
    await page.locator('.el-dialog .el-button--danger').waitFor()
  },
  quota: async (person) => {
    await open(person, 'administration', '.person-row')
    await person.page.locator('.person-row button').last().click()
    await chooseShown(person.page, -1)
    await person.page.locator('#quota-form select').selectOption('own')
  },
  'person-groups': async (person) => {
    await open(person, 'administration', '.person-row')
    await person.page.locator('.person-row button').first().click()
    await chooseShown(person.page, 3)
    await person.page.locator('.membership .members li').first().waitFor()
  },
  groups: (person) => open(person, 'administration/groups', '.group-row'),
  'group-members': async ({ page }) => {
    await page.locator('.group-row').first().locator('button').first().click()
    await page.locator('.membership .members li').first().waitFor()
    await page.locator('.membership input').fill('r')
    await page.locator('.membership .found li').first().waitFor()
  },
  'group-rename': async (person) => {
    await open(person, 'administration/groups', '.group-row')
    await person.page.locator('.group-row').first().locator('button').nth(1).click()
    await person.page.locator('#group-form').waitFor()
  },
  'group-delete': async (person) => {
    await open(person, 'administration/groups', '.group-row')
    await person.page.locator('.group-row').first().locator('button').nth(2).click()
    await person.page.locator('.el-dialog .el-button--danger').waitFor()
  },
  'groups-nothing': async (person) => {
    await open(person, 'administration/groups', '.group-row')
    await person.page.locator('input[type=search]').fill('zzz')
    await person.page.locator('.group-row').first().waitFor({ state: 'detached' })
  },
  'reset-password': async (person) => {
    await open(person, 'administration', '.person-row')
    await person.page.locator('.person-row button').first().click()
    await chooseShown(person.page, 2)
    await person.page.locator('#reset-form').waitFor()
  },
  settings: (person) => open(person, 'administration/settings', '.settings-part dl'),
  'settings-open': async ({ page }) => {
    for (const summary of await page.locator('.settings-part summary').all()) await summary.click()
    await page.locator('.settings-part details').last().scrollIntoViewIfNeeded()
  },
  health: (person) => open(person, 'administration/health', '.health-parts li'),
}

/** Chooses an entry of the menu of the drive's first row. */
async function choose(page: Page, entry: number) {
  await page.locator('.node-row button').first().click()
  await chooseShown(page, entry)
}

/** Chooses an entry of the menu that is shown (-1 is the last), and waits until the menu has faded. */
async function chooseShown(page: Page, entry: number) {
  const entries = page.locator('[role=menuitem] >> visible=true')
  await entries.nth(entry).click()
  await entries.first().waitFor({ state: 'hidden' })
}

async function open({ page }: Person, path: string, landmark: string) {
  await page.goto(path)
  await page.locator(landmark).first().waitFor()
}

const LOOKS = [
  { name: 'wide-light-zh', viewport: WIDE, colorScheme: 'light', locale: 'zh-CN' },
  { name: 'wide-dark-en', viewport: WIDE, colorScheme: 'dark', locale: 'en-GB' },
  { name: 'phone-light-en', viewport: PHONE, colorScheme: 'light', locale: 'en-GB' },
  { name: 'phone-dark-zh', viewport: PHONE, colorScheme: 'dark', locale: 'zh-CN' },
] as const

test.for(LOOKS)(
  'every page is accessible and fits its window: $name',
  { timeout: 240_000 },
  async (look, { hall, arrive }) => {
    hall.addAccount('ada')
    hall.addAccount('root', '--admin')
    const share = await fill(hall.base)
    await gather(hall.base)
    const person = await arrive({ ...look })
    const broken: Record<string, string[]> = {}
    for (const [name, go] of Object.entries(PAGES)) {
      await go(person, share)
      await person.shoot(`${name}-${look.name}`)
      const found = await violations(person.page)
      const tooWide = await person.page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      )
      if (tooWide > 0) found.push(`wider than the window by ${tooWide} px`)
      if (found.length > 0) broken[name] = found
    }
    expect(broken).toEqual({})
  },
)

/** Groups, one of them with a member: the account that an administrator sees first. */
async function gather(base: string) {
  const admin = `${base}/api/v1/admin`
  const json = { 'content-type': 'application/json' }
  const body = JSON.stringify({ username: 'root', password: PASSWORD })
  const session = await fetch(`${base}/api/v1/session`, { method: 'POST', headers: json, body })
  const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const people = (await (await fetch(`${admin}/accounts?search=ada`, { headers: { cookie } })).json()) as {
    items: { id: string }[]
  }
  for (const name of ['Chemistry 2, laboratory course on Tuesdays and Thursdays', '计算机学院']) {
    const init = { method: 'POST', headers: { ...json, cookie }, body: JSON.stringify({ name }) }
    const { id } = (await (await fetch(`${admin}/groups`, init)).json()) as { id: string }
    const member = `${admin}/groups/${id}/members/${people.items[0]?.id}`
    await fetch(member, { method: 'PUT', headers: { cookie } })
  }
}

/** Some files and folders, with a name that is hard to show; gives the paths of shares. */
async function fill(base: string): Promise<Shares> {
  const api = `${base}/api/v1`
  const json = { 'content-type': 'application/json' }
  const body = JSON.stringify({ username: 'ada', password: PASSWORD })
  const session = await fetch(`${api}/session`, { method: 'POST', headers: json, body })
  const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const { items } = (await (await fetch(`${api}/drives`, { headers: { cookie } })).json()) as {
    items: { root: string }[]
  }
  const folder = `${api}/nodes/${items[0]?.root}/children`
  let shared = ''
  for (const name of ['2025 学年', '课程资料', 'Photos']) {
    const body = JSON.stringify({ name, kind: 'folder' })
    await fetch(folder, { method: 'POST', headers: { ...json, cookie }, body })
  }
  const files = {
    '成绩单.pdf': 84_211,
    'lecture 01 – introduction to distributed storage systems, recorded on Monday in the large hall.mp4': 3_400_210,
    'Übersicht.xlsx': 12_004,
    'group.jpg': 512_000,
    'song.mp3': 720_400,
    '<img src=x onerror=alert(1)>.txt': 19,
  }
  for (const [name, length] of Object.entries(files)) {
    const file = await fetch(`${folder}/${encodeURIComponent(name)}`, {
      method: 'PUT',
      headers: { cookie },
      body: new Uint8Array(length),
    })
    shared = ((await file.json()) as { id: string }).id
  }
  for (const name of ['old.docx', 'a draft with a long name that nobody wants to read to its very end.md']) {
    const init = { method: 'PUT', headers: { cookie }, body: name }
    const { id } = (await (await fetch(`${folder}/${name}`, init)).json()) as { id: string }
    await fetch(`${api}/nodes/${id}`, { method: 'DELETE', headers: { cookie } })
  }
  const share = async (conditions: object, node = items[0]?.root) => {
    const init = { method: 'POST', headers: { ...json, cookie }, body: JSON.stringify(conditions) }
    const answer = await fetch(`${api}/nodes/${node}/shares`, init)
    return `s/${((await answer.json()) as { token: string }).token}`
  }
  // The last file has a name that is hard to show, and comes second in the list.
  await share({ password: true, expires: '2031-07-01T00:00:00Z' }, shared)
  await share({ max_downloads: 20, allow_from: ['10.0.0.0/8', '2001:db8::/32'] }, shared)
  return {
    closed: await share({ password: true }),
    open: await share({}),
    drop: await share({ drop: true }),
  }
}
