import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import { expect, PASSWORD, test } from '../support/test'
import { say } from '../support/words'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('what is uploaded through the page is downloaded through the page, byte for byte', async ({
  hall,
  arrive,
}) => {
  hall.addAccount('ada')
  const { page } = await arrive()
  await page.goto('./')
  await page.getByLabel(say('session.username')).fill('ada')
  await page.getByLabel(say('session.password')).fill(PASSWORD)
  await page.getByRole('button', { name: say('session.signIn') }).click()

  await page.getByRole('heading', { name: say('drive.title') }).waitFor()
  const bytes = randomBytes(3_000_001)
  await page
    .locator('input[type=file][multiple]')
    .setInputFiles({ name: '成绩单 2026.bin', mimeType: 'application/octet-stream', buffer: bytes })
  const link = page.getByRole('grid').getByRole('link', { name: '成绩单 2026.bin' })
  await link.waitFor()

  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  expect(download.suggestedFilename()).toBe('成绩单 2026.bin')
  expect(sha256(await readFile(await download.path()))).toBe(sha256(bytes))
})
