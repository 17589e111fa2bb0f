import { pretendLongFolder } from './support/long-folder'
import { OwnDrive } from './support/own-drive'
import { framesDuring, memory } from './support/measure'
import { expect, PASSWORD, test } from './support/test'

const FULL = process.env.CAMPUSDISK_PAGE_FULL === '1'
const ENTRIES = 100_000

test('list', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const drive = await OwnDrive.of(hall, 'ada')
  const names = Array.from({ length: ENTRIES }, (_, index) => `file ${String(index).padStart(6, '0')}.pdf`)
  let t = Date.now()
  const person = await arrive()
  const { page } = person
  if (FULL) await drive.fill(drive.root, names)
  else await pretendLongFolder(page, names)
  console.log('fill', Date.now() - t)
  await person.signIn('ada', PASSWORD)
  const link = (index: number) => page.getByRole('link', { name: names[index], exact: true })
  await link(0).focus()
  console.log('keys0', await framesDuring(page, async () => {
    for (let n = 0; n < 60; n++) await page.keyboard.press('PageDown')
  }))
  t = Date.now()
  const frames = await framesDuring(page, async () => {
      await page.keyboard.press('End')
      await page.waitForTimeout(500)
  await person.shoot('reading')
      await link(ENTRIES-1).waitFor({ timeout: 100000 })
  })
  console.log('end', Date.now() - t, frames, await memory(page))
  await person.shoot('end')
  console.log('wheel', await framesDuring(page, async () => {
    await page.mouse.move(700, 500)
    for (let n = 0; n < 100; n++) { await page.mouse.wheel(0, -1500 * 7); await page.waitForTimeout(16) }
  }))
  console.log('drag', await framesDuring(page, async () => {
    for (let n = 0; n <= 60; n++) await page.evaluate((share) => { const v = document.querySelector('.viewport')!; v.scrollTop = v.scrollHeight * share; return new Promise(requestAnimationFrame) }, n / 60)
  }))
  console.log('keys', await framesDuring(page, async () => {
    await page.keyboard.press('Home')
    for (let n = 0; n < 100; n++) await page.keyboard.press('PageDown')
  }), await page.evaluate(() => document.activeElement?.textContent))
  console.log(await memory(page))
}, 600_000)
