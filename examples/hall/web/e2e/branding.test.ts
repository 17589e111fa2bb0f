import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { violations } from './support/axe'
import { expect, PASSWORD, PHONE, test, WIDE } from './support/test'

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 32"><rect width="64" height="32" rx="6" fill="#660874"/>
<path d="M10 22 L20 8 L30 22 Z" fill="#fff"/><script>document.title = 'harm'</script></svg>`

const LOOKS = [
  { name: 'wide-light', viewport: WIDE, colorScheme: 'light' },
  { name: 'wide-dark', viewport: WIDE, colorScheme: 'dark' },
  { name: 'phone-light', viewport: PHONE, colorScheme: 'light' },
  { name: 'phone-dark', viewport: PHONE, colorScheme: 'dark' },
] as const

test.for(LOOKS)(
  'logo and colour of the university show, and stay readable, below a path too: $name',
  async (look, { startHall, arrive }) => {
    const folder = mkdtempSync(join(tmpdir(), 'hall-logo-'))
    writeFileSync(join(folder, 'logo.svg'), LOGO)
    const hall = await startHall(
      `[http]\nprefix = "/disk"\n[page]\nname = "示例大学网盘"\nlogo = "${folder}/logo.svg"\naccent = "#660874"\n`,
    )
    rmSync(folder, { recursive: true })
    hall.addAccount('root', '--admin')
    hall.run(['demo', '--language', 'zh-CN'])
    const person = await arrive({ ...look, locale: 'zh-CN' })
    const { page } = person

    await page.goto('sign-in')
    const logo = page.locator('.brand img')
    await logo.waitFor()
    const width = () => logo.evaluate((image) => (image as HTMLImageElement).naturalWidth)
    await expect.poll(width).toBeGreaterThan(0)
    const button = page.locator('button[type=submit]')
    const ground = () => button.evaluate((element) => getComputedStyle(element).backgroundColor)
    if (look.colorScheme === 'light') expect(await ground()).toBe('rgb(102, 8, 116)')
    await person.shoot(`brand-sign-in-${look.name}`)
    const broken: Record<string, string[]> = { 'sign-in': await violations(page) }

    await person.signIn('root', PASSWORD)
    await page.getByRole('grid').getByRole('link', { name: '演示内容' }).click()
    await page.getByRole('link', { name: '请先看这里.md' }).waitFor()
    await page.locator('.node-row input').nth(1).click()
    await person.shoot(`brand-drive-${look.name}`)
    broken.drive = await violations(page)
    await page.goto('administration/settings')
    await page.locator('.settings-part dl').first().waitFor()
    await person.shoot(`brand-settings-${look.name}`)
    broken.settings = await violations(page)
    expect(Object.entries(broken).filter(([, found]) => found.length > 0)).toEqual([])
    expect(await page.title()).toContain('示例大学网盘')
  },
)
