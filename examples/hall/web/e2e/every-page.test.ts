import { randomBytes } from 'node:crypto'

import { violations } from './support/axe'
import { expect, PASSWORD, PHONE, test, WIDE, type Person } from './support/test'

/** Every page, as the looks below see it: its name, and the way there. */
const PAGES: Record<string, (person: Person, share: string) => Promise<void>> = {
  setup: (person) => open(person, 'setup?token=none', 'form'),
  'sign-in': (person) => open(person, 'sign-in', 'form'),
  register: (person) => open(person, 'register', 'form'),
  nowhere: (person) => open(person, 'nowhere/at/all', 'h1'),
  visit: (person, share) => open(person, share, 'form'),
  drive: async (person) => {
    await person.signIn('ada', PASSWORD)
    await person.page.locator('.node-row').first().waitFor()
  },
  'drive-menu': async ({ page }) => {
    await page.locator('.node-row button').first().click()
    await page.locator('.el-dropdown-menu__item >> visible=true').first().waitFor()
  },
  'new-folder': async ({ page }) => {
    await page.keyboard.press('Escape')
    await page.locator('.buttons button').first().click()
    await page.locator('.el-dialog input').waitFor()
  },
  'empty-folder': async (person) => {
    await person.page.keyboard.press('Escape')
    await person.page.locator('.node-row a').first().click()
    await person.page.locator('.empty-state').waitFor()
  },
  transfers: async ({ page }) => {
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'a.txt', mimeType: '', buffer: randomBytes(10) })
    await page.locator('.transfer-row.done').waitFor()
    await page.locator('nav a[href$=transfers]').click()
    await page.locator('main .transfer-row').waitFor()
  },
  profile: (person) => open(person, 'profile', '.app-tokens p'),
  'new-token': async ({ page }) => {
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
    await page.locator('.el-dropdown-menu__item >> visible=true').first().click()
    await page.locator('.el-dialog .dangerous').waitFor()
  },
  quota: async (person) => {
    await open(person, 'administration', '.person-row')
    await person.page.locator('.person-row button').last().click()
    await person.page.locator('.el-dropdown-menu__item >> visible=true').last().click()
    await person.page.locator('#quota-form select').selectOption('own')
  },
  'reset-password': async (person) => {
    await open(person, 'administration', '.person-row')
    await person.page.locator('.person-row button').first().click()
    await person.page.locator('.el-dropdown-menu__item >> visible=true').nth(2).click()
    await person.page.locator('#reset-form').waitFor()
  },
  health: (person) => open(person, 'administration/health', '.health-parts li'),
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

/** Some files and folders, with a name that is hard to show; gives the path of a share. */
async function fill(base: string): Promise<string> {
  const api = `${base}/api/v1`
  const json = { 'content-type': 'application/json' }
  const body = JSON.stringify({ username: 'ada', password: PASSWORD })
  const session = await fetch(`${api}/session`, { method: 'POST', headers: json, body })
  const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const { items } = (await (await fetch(`${api}/drives`, { headers: { cookie } })).json()) as {
    items: { root: string }[]
  }
  const folder = `${api}/nodes/${items[0]?.root}/children`
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
    await fetch(`${folder}/${encodeURIComponent(name)}`, {
      method: 'PUT',
      headers: { cookie },
      body: new Uint8Array(length),
    })
  }
  const init = { method: 'POST', headers: { ...json, cookie }, body: JSON.stringify({ password: true }) }
  const { token } = (await (await fetch(`${api}/nodes/${items[0]?.root}/shares`, init)).json()) as {
    token: string
  }
  return `s/${token}`
}
