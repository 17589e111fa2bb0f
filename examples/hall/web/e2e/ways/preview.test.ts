import type { Page } from 'playwright-core'

import { film } from '../support/film'
import type { Hall } from '../support/hall'
import { expect, PASSWORD, test } from '../support/test'
import { say } from '../support/words'
import { MB } from '../support/transfers'

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

const MARKDOWN = `# Notes

Some **bold** words, a [link](https://campus.example/) and a [trap](javascript:document.title='broken').

<script>document.title = 'broken'</script>
<img src=x onerror="document.title = 'broken'">

| a | b |
| - | - |
| 1 | 2 |
`

/** So many seconds of silence, each of 8,000 bytes. */
function silence(seconds = 30): Buffer {
  const bytes = 8000 * seconds
  const wav = Buffer.alloc(44 + bytes, 128)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(36 + bytes, 4)
  wav.write('WAVEfmt ', 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(8000, 24)
  wav.writeUInt32LE(8000, 28)
  wav.writeUInt16LE(1, 32)
  wav.writeUInt16LE(8, 34)
  wav.write('data', 36)
  wav.writeUInt32LE(bytes, 40)
  return wav
}

const PDF = `%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
trailer<</Root 1 0 R>>
%%EOF
`

async function put(hall: Hall, files: Record<string, [type: string, content: Buffer | string]>) {
  hall.addAccount('ada')
  const authorization = `Bearer ${hall.run(['token', 'add', '--account', 'ada'])}`
  const drives = await fetch(`${hall.base}/api/v1/drives`, { headers: { authorization } })
  const { items } = (await drives.json()) as { items: { root: string }[] }
  for (const [name, [type, content]] of Object.entries(files)) {
    const address = `${hall.base}/api/v1/nodes/${items[0]?.root}/children/${encodeURIComponent(name)}`
    const body = typeof content === 'string' ? content : new Uint8Array(content)
    await fetch(address, { method: 'PUT', headers: { authorization, 'content-type': type }, body })
  }
}

test('images, audio and PDF are shown in the page, and audio is sought in', async ({ hall, arrive }) => {
  await put(hall, {
    'a.png': ['image/png', PNG],
    'b.wav': ['audio/wav', silence()],
    'c.pdf': ['application/pdf', PDF],
  })
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  const dialog = page.getByRole('dialog')
  await page.getByRole('link', { name: 'a.png' }).press('Enter')
  await dialog.locator('img').waitFor()
  await page.waitForFunction(() => document.querySelector<HTMLImageElement>('img.media')?.naturalWidth === 1)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })

  await page.getByRole('link', { name: 'b.wav' }).press('Enter')
  const audio = dialog.locator('audio')
  await audio.waitFor()
  await page.waitForFunction(() => Math.round(document.querySelector('audio')?.duration ?? 0) === 30)
  await audio.evaluate((element: HTMLAudioElement) => {
    element.currentTime = 20
    return new Promise((resolve) => element.addEventListener('seeked', resolve, { once: true }))
  })
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })

  const answer = page.waitForResponse(/content\?inline/)
  await page.getByRole('link', { name: 'c.pdf' }).press('Enter')
  await dialog.locator('iframe').waitFor()
  expect((await answer).headers()['content-type']).toBe('application/pdf')
})

test('text is shown in its own encoding, and a long one by its beginning', async ({ hall, arrive }) => {
  // “课程” as older Chinese systems write it.
  const gb = Buffer.from([0xbf, 0xce, 0xb3, 0xcc, 0x0a])
  await put(hall, {
    'gb.txt': ['text/plain', gb],
    'long.log': ['text/plain', 'all work\n'.repeat(100_000)],
  })
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('link', { name: 'gb.txt' }).click()
  await page.getByRole('region', { name: 'gb.txt' }).getByText('课程').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await page.getByRole('link', { name: 'long.log' }).click()
  await page.getByText(say('preview.cut')).waitFor()
})

test('Markdown is shown as text with shape, and nothing in it runs', async ({ hall, arrive }) => {
  await put(hall, { 'notes.md': ['text/markdown', MARKDOWN] })
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('link', { name: 'notes.md' }).click()
  const sheet = page.getByRole('region', { name: 'notes.md' })
  await sheet.getByRole('heading', { name: 'Notes' }).waitFor()
  await sheet.getByRole('cell', { name: '2' }).waitFor()
  await sheet.getByText('<script>').waitFor()
  expect(await sheet.getByRole('link').allInnerTexts()).toEqual(['link'])
  expect(await sheet.locator('img, script').count()).toBe(0)
  expect(await page.title()).not.toBe('broken')
})

const media = [
  { what: 'a film', seconds: 40, make: (page: Page) => film(page, 40, 24 * MB), type: 'video/webm' },
  { what: 'a sound', seconds: 3000, make: async () => silence(3000), type: 'audio/wav' },
]

test.for(media)(
  '$what plays, and any place in it is reached without all before it',
  async (medium, { hall, arrive }) => {
    const person = await arrive()
    const { page } = person
    await page.goto('sign-in')
    const content = await medium.make(page)
    await put(hall, { medium: [medium.type, content] })
    await person.signIn('ada', PASSWORD)
    const ranges: number[] = []
    page.on('request', async (request) => {
      if (!request.url().includes('/content?inline')) return
      const [, from] = /^bytes=(\d+)-/.exec((await request.allHeaders()).range ?? '') ?? []
      ranges.push(Number(from))
    })
    await page.getByRole('link', { name: 'medium' }).press('Enter')
    const player = page.getByRole('dialog').locator('video, audio')
    await player.waitFor()
    const { duration } = await player.evaluate(async (element: HTMLMediaElement) => {
      element.muted = true
      await element.play()
      return { duration: element.duration }
    })
    expect(Math.round(duration)).toBe(medium.seconds)
    const place = Math.floor(medium.seconds * 0.9)
    const reached = await player.evaluate(async (element: HTMLMediaElement, at) => {
      element.pause()
      element.currentTime = at
      await new Promise((resolve) => element.addEventListener('seeked', resolve, { once: true }))
      return element.currentTime
    }, place)
    expect(reached).toBeCloseTo(place, 1)
    expect(ranges[0]).toBe(0)
    expect(Math.max(...ranges)).toBeGreaterThan(content.length / 2)
    if (medium.type === 'audio/wav') return
    // The first picture is black, and each is lighter than the one before.
    const grey = await player.evaluate((element) => {
      const canvas = new OffscreenCanvas(1, 1)
      const context = canvas.getContext('2d')
      context?.drawImage(element as HTMLVideoElement, 0, 0, 1, 1)
      return context?.getImageData(0, 0, 1, 1).data[0] ?? 0
    })
    expect(grey).toBeGreaterThan(200)
  },
)

test('what the browser can not show is said to be so, and can be downloaded', async ({ hall, arrive }) => {
  await put(hall, { 'broken.mp4': ['video/mp4', Buffer.from('no film')] })
  const person = await arrive()
  const { page } = person
  await person.signIn('ada', PASSWORD)
  await page.getByRole('button', { name: say('drive.actionsOf', { name: 'broken.mp4' }) }).click()
  await page.getByRole('menuitem', { name: say('preview.open') }).click()
  await page.getByText(say('preview.failed')).waitFor()
  const download = page.waitForEvent('download')
  await page
    .getByRole('dialog')
    .getByRole('link', { name: say('drive.download') })
    .click()
  expect((await download).suggestedFilename()).toBe('broken.mp4')
})
