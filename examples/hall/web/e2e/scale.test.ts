import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { BrowserContext } from 'playwright-core'

import { throttle } from './support/bytes'
import { dropFolder } from './support/drop'
import { pretendLongFolder } from './support/long-folder'
import { framesDuring, memory, tell, type Frames } from './support/measure'
import { OwnDrive } from './support/own-drive'
import { expect, PASSWORD, test } from './support/test'
import { look } from './support/words'

/** In a full run everything is as large as it can be and a frame's time counts; else the page's own work does. */
const FULL = process.env.CAMPUSDISK_PAGE_FULL === '1'
const MINUTES = 60_000

const ENTRIES = 100_000
const FILES = FULL ? 5000 : 120

/** No frame of scrolling takes longer than this, in ms: on a machine that others use too the page's share of the processor tells. */
const FRAME_MS = 100
/** A page that answers within this, in ms, has not frozen: so long people take it to follow them. */
const FREEZE_MS = 1000
/**
 * When a folder is picked by the button the browser makes its list of all files in one task, most of which it waits: this
 * often as long as on a page that has nothing but the button. Of the processor it takes as much as there (5,000 files: 217 to
 * 350 ms on one machine), and the page's own share on top.
 */
const PICK_TIMES = 1.25
const MEMORY_MB = 500

function expectSmooth(frames: Frames, { frameMs = FRAME_MS, taskMs = FRAME_MS } = {}) {
  expect(frames.count).toBeGreaterThan(0)
  expect(frames.longestTaskCpu).toBeLessThanOrEqual(taskMs)
  if (FULL) expect(frames.max).toBeLessThanOrEqual(frameMs)
}

test(
  'a folder of 100,000 entries is walked and scrolled through without a frame over 100 ms',
  { timeout: FULL ? 30 * MINUTES : 4 * MINUTES },
  async ({ hall, arrive }) => {
    await hall.stepBack()
    hall.addAccount('ada')
    const names = Array.from({ length: ENTRIES }, (_, index) => `file ${String(index).padStart(6, '0')}.pdf`)
    const person = await arrive()
    const { page } = person
    if (FULL) {
      const drive = await OwnDrive.of(hall, 'ada')
      await drive.fill(drive.root, names)
    } else await pretendLongFolder(page, names)
    await person.signIn('ada', PASSWORD)
    const focused = (index: number) =>
      page.waitForFunction((name) => document.activeElement?.textContent === name, names[index], {
        timeout: 2 * MINUTES,
      })

    await page.getByRole('link', { name: names[0], exact: true }).focus()
    const pages = await framesDuring(page, async () => {
      for (let count = 0; count < 60; count += 1) await page.keyboard.press('PageDown')
    })
    const end = await framesDuring(page, async () => {
      await page.keyboard.press('End')
      await focused(ENTRIES - 1)
    })
    expect(await page.getByRole('row').count()).toBeLessThan(60)
    const middle = await framesDuring(page, async () => {
      await page.locator('.viewport').evaluate((list) => (list.scrollTop = list.scrollHeight / 2))
      await page.getByRole('link', { name: names[ENTRIES / 2], exact: true }).waitFor()
      // The row with the focus stays, so that keys go on from it.
      await page.keyboard.press('PageUp')
      await page.keyboard.press('PageDown')
      await focused(ENTRIES - 1)
      await page.keyboard.press('Home')
      await focused(0)
    })
    const wheel = await framesDuring(page, async () => {
      await page.mouse.move(700, 500)
      for (let count = 0; count < 60; count += 1) await page.mouse.wheel(0, 9000)
    })
    const dragged = await framesDuring(page, () =>
      page.locator('.viewport').evaluate(async (list) => {
        for (let step = 0; step <= 60; step += 1) {
          list.scrollTop = (list.scrollHeight * step) / 60
          await new Promise(requestAnimationFrame)
        }
      }),
    )
    const held = await memory(page)
    tell('100,000 entries', { pages, end, middle, wheel, dragged, held })
    for (const frames of [pages, end, middle, wheel, dragged]) expectSmooth(frames)
    expect(held.resident).toBeLessThan(MEMORY_MB)
  },
)

/** A folder of small files, in folders of a hundred; gives their hashes by path. */
function folderOfFiles(place: string, count: number): Map<string, string> {
  const sums = new Map<string, string>()
  for (let index = 0; index < count; index += 1) {
    const folder = `Part ${Math.floor(index / 100)}`
    const path = `${folder}/file ${index}.bin`
    const bytes = randomBytes(1 + ((index * 977) % 20_000))
    mkdirSync(join(place, folder), { recursive: true })
    writeFileSync(join(place, path), bytes)
    sums.set(path, createHash('sha256').update(bytes).digest('hex'))
  }
  return sums
}

/**
 * The longest frame and the most of the processor that one task takes, in ms and of five times, of a page that has nothing but a
 * button for a folder, while this one is picked.
 */
async function pickedOnNothing({ context }: { context: BrowserContext }, folder: string) {
  const longest: number[] = []
  const busiest: number[] = []
  for (let time = 0; time < 5; time += 1) {
    const page = await context.newPage()
    await page.setContent('<input type="file" webkitdirectory>')
    const { max, longestTaskCpu } = await framesDuring(page, async () => {
      await page.locator('input').setInputFiles(folder)
      await page.waitForFunction(() => document.querySelector('input')?.files?.length)
    })
    longest.push(max)
    busiest.push(longestTaskCpu)
    await page.close()
  }
  return { max: Math.max(...longest), longestTaskCpu: Math.max(...busiest) }
}

/** The hashes of all files below a folder, by path. */
async function storedBelow(drive: OwnDrive, folder: string, above = ''): Promise<Map<string, string>> {
  const nodes = await drive.all<{ id: string; name: string; kind: string }>(`nodes/${folder}/children`)
  const found = nodes.map(async ({ id, name, kind }): Promise<[string, string][]> => {
    if (kind === 'folder') return [...(await storedBelow(drive, id, `${above}${name}/`))]
    return [[above + name, await drive.sha256(id)]]
  })
  return new Map((await Promise.all(found)).flat())
}

test(
  `a folder of ${FILES} files arrives whole and equal, with a reload and a killed hall in the middle`,
  { timeout: FULL ? 30 * MINUTES : 4 * MINUTES },
  async ({ hall, arrive }) => {
    await hall.stepBack()
    hall.addAccount('ada')
    const folder = join(hall.folder, 'of the person', 'Many')
    const sums = folderOfFiles(folder, FILES)
    const drive = await OwnDrive.of(hall, 'ada')
    const person = await arrive()
    // What is there already is refused, and a hall that was killed does not answer.
    person.expectStatus(409)
    person.expectComplaint(/ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET|ERR_FAILED/)
    const { page } = person
    await person.signIn('ada', PASSWORD)
    await page.getByText('There is nothing here yet').waitFor()
    /** All that was picked is listed, and at most so much of it has not arrived. */
    const left = async (count: number) => {
      const isLess = ({ files, most }: { files: number; most: number }) => {
        const text = document.body.innerText
        const rows = document.querySelectorAll('.transfer-list > *').length
        const listed = rows + Number(/and (\d+) more/.exec(text)?.[1] ?? 0)
        const [, sending] = /Uploading (\d+)/.exec(text) ?? []
        return listed >= files && (sending ? Number(sending) <= most : text.includes('All uploads are done'))
      }
      await page.waitForFunction(isLess, { files: FILES, most: count }, { timeout: 10 * MINUTES })
    }
    const onNothing = await pickedOnNothing(person, folder)
    // Few files would be there before anything can befall them.
    if (!FULL) await throttle(page, 80_000)
    const picked = await framesDuring(page, async () => {
      await page.locator('.folder-input').setInputFiles(folder)
      await page.getByText(/Uploading \d+ files/).waitFor()
      await left(Math.floor(FILES * 0.9))
    })
    await left(Math.floor(FILES * 0.7))
    await page.reload()
    await page.locator('.folder-input').waitFor({ state: 'attached' })
    const dropped = await framesDuring(page, async () => {
      await dropFolder(page, folder, { x: look.viewport.width / 2, y: 500 })
      await page.getByRole('button', { name: 'Skip all' }).click()
      await left(FILES)
    })
    await person.shoot('transfers-many')
    await left(Math.floor(FILES * 0.5))
    await hall.kill()
    await page.getByText('connection lost, goes on by itself').first().waitFor()
    await hall.serve()
    await throttle(page)
    const late = await framesDuring(page, () => left(Math.floor(FILES * 0.1)))
    await page.getByText('All uploads are done').waitFor({ timeout: 10 * MINUTES })

    const held = await memory(page)
    const kept = await page.evaluate(() => JSON.stringify(localStorage).length)
    tell(`${FILES} files`, { onNothing, picked, dropped, late, held, kept })
    const [many] = await drive.all<{ id: string }>(`nodes/${drive.root}/children`)
    const arrived = await storedBelow(drive, many?.id ?? '')
    expect(arrived.size).toBe(FILES)
    expect([...arrived].filter(([path, sum]) => sums.get(path) !== sum)).toEqual([])
    // An answer that the kill cut off may have left one behind that got no byte; the hall clears it.
    const uploads = await drive.all<{ offset: number }>('uploads')
    expect(uploads.filter(({ offset }) => offset > 0)).toEqual([])
    expectSmooth(picked, {
      frameMs: onNothing.max * PICK_TIMES,
      taskMs: FULL ? onNothing.longestTaskCpu + FRAME_MS : FRAME_MS,
    })
    expectSmooth(dropped)
    expectSmooth(late, { frameMs: FREEZE_MS })
    expect(held.resident).toBeLessThan(MEMORY_MB)
    expect(kept).toBeLessThan(1000)
  },
)
