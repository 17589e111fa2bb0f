import { pretendLongFolder } from './support/long-folder'
import { expect, PASSWORD, test } from './support/test'

/** Puts files into the own drive, past the page; gives the names. */
async function fill(hall: { base: string; run(args: string[]): string }, count: number): Promise<string[]> {
  const headers = { authorization: `Bearer ${hall.run(['token', 'add', '--account', 'ada'])}` }
  const drives = await fetch(`${hall.base}/api/v1/drives`, { headers })
  const { items } = (await drives.json()) as { items: { root: string }[] }
  const names = Array.from({ length: count }, (_, index) => `file ${String(index).padStart(3, '0')}`)
  const folder = `${hall.base}/api/v1/nodes/${items[0]?.root}/children`
  for (const name of names) {
    await fetch(`${folder}/${encodeURIComponent(name)}`, { method: 'PUT', headers, body: name })
  }
  return names
}

test('a list is printed with all its rows, light, without what can be pressed', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const names = await fill(hall, 150)
  const person = await arrive({ colorScheme: 'dark' })
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('link', { name: 'file 000' }).waitFor()
  expect(await page.locator('.node-row').count()).toBeLessThan(60)

  await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
  await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')))
  await page.getByRole('link', { name: 'file 149' }).waitFor()
  expect(await page.locator('.row-link').allInnerTexts()).toEqual(names)
  // The head's buttons are its words.
  expect(await page.locator('button:not([role=columnheader] *) >> visible=true').count()).toBe(0)
  expect(await page.getByRole('navigation', { name: 'Main' }).isVisible()).toBe(false)
  const colours = await page.evaluate(() => {
    const { color } = getComputedStyle(document.querySelector('.row-link') as Element)
    return { color, height: document.documentElement.scrollHeight > window.innerHeight }
  })
  expect(colours).toEqual({ color: 'rgb(27, 36, 48)', height: true })
  await person.shoot('printed-list')
  const paper = await page.pdf({ format: 'A4' })
  expect(paper.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length).toBeGreaterThan(3)

  await page.evaluate(() => window.dispatchEvent(new Event('afterprint')))
  await page.emulateMedia({ media: 'screen' })
  await page.waitForFunction(() => document.querySelectorAll('.node-row').length < 60)
})

test('rows that were not read yet are printed too, and a print that leaves some out says so', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  const person = await arrive({ locale: 'zh-CN' })
  const { page } = person
  const names = Array.from({ length: 4500 }, (_, index) => `file ${String(index).padStart(4, '0')}`)
  await pretendLongFolder(page, names)
  await person.signIn('ada', PASSWORD)
  await page.getByRole('link', { name: 'file 0000' }).focus()
  const printed = page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        window.print = () => {
          window.dispatchEvent(new Event('beforeprint'))
          requestAnimationFrame(() => resolve(document.querySelectorAll('.node-row').length))
        }
      }),
  )
  await page.keyboard.press('Control+p')
  expect(await printed).toBe(2000)
  await page.getByText('仅打印前 2,000 行').waitFor()
})

test('every time is said in the zone of who reads it', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  await fill(hall, 1)
  const shown: Record<string, string> = {}
  for (const timezoneId of ['Asia/Shanghai', 'America/New_York']) {
    const person = await arrive({ timezoneId })
    await person.signIn('ada', PASSWORD)
    const time = person.page.locator('.node-row time')
    const at = new Date((await time.getAttribute('datetime')) ?? '')
    shown[timezoneId] = await time.innerText()
    const format = new Intl.DateTimeFormat('en-GB', {
      dateStyle: 'medium',
      timeStyle: 'short',
      timeZone: timezoneId,
    })
    expect(shown[timezoneId]).toBe(format.format(at))
  }
  expect(shown['Asia/Shanghai']).not.toBe(shown['America/New_York'])
})
