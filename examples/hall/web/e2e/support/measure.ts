import { readdirSync, readFileSync } from 'node:fs'

import type { CDPSession, Page } from 'playwright-core'

/** How a page moved while something happened, in ms. */
export interface Frames {
  count: number
  p50: number
  p99: number
  max: number
  /** The longest the page's thread was busy without a break, and the most of the processor one such task took. */
  longestTask: number
  longestTaskCpu: number
}

interface Event {
  name: string
  pid: number
  tid: number
  dur?: number
  tdur?: number
  args?: { name?: string; data?: { frame?: string } }
}

const MS = 1000

/** Watches frames and tasks of a page while something happens. */
export async function framesDuring(page: Page, action: () => Promise<void>): Promise<Frames> {
  const devtools = await page.context().newCDPSession(page)
  const events: Event[] = []
  devtools.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as Event[])))
  await devtools.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      includedCategories: ['disabled-by-default-devtools.timeline', 'devtools.timeline', '__metadata'],
    },
  })
  await page.evaluate(() => {
    const gaps: number[] = []
    let last: number | undefined
    const frame = (at: number) => {
      if (last !== undefined) gaps.push(at - last)
      last = at
      if (gaps.length < 1_000_000) handle.id = requestAnimationFrame(frame)
    }
    const handle = { id: requestAnimationFrame(frame), gaps }
    Object.assign(window, { frames0: handle })
  })
  await action()
  const gaps = await page.evaluate(() => {
    const handle = (window as unknown as { frames0: { id: number; gaps: number[] } }).frames0
    cancelAnimationFrame(handle.id)
    return handle.gaps
  })
  const complete = new Promise((resolve) => devtools.once('Tracing.tracingComplete', resolve))
  await devtools.send('Tracing.end')
  await complete
  await devtools.detach()
  const tasks = mainTasks(events)
  gaps.sort((a, b) => a - b)
  const at = (share: number) => Math.round(gaps[Math.floor((gaps.length - 1) * share)] ?? 0)
  return {
    count: gaps.length,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    longestTask: Math.round(Math.max(0, ...tasks.map(({ dur = 0 }) => dur)) / MS),
    longestTaskCpu: Math.round(Math.max(0, ...tasks.map(({ tdur = 0 }) => tdur)) / MS),
  }
}

/** The tasks of the renderers' main threads. */
function mainTasks(events: Event[]): Event[] {
  const main = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid}/${tid}`),
  )
  return events.filter(({ name, pid, tid }) => name === 'RunTask' && main.has(`${pid}/${tid}`))
}

/** What a page holds after its rubbish was cleared, in MB: its JavaScript, and all of its process. */
export async function memory(page: Page): Promise<{ heap: number; resident: number }> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('HeapProfiler.collectGarbage')
  await devtools.send('Performance.enable')
  const { metrics } = await devtools.send('Performance.getMetrics')
  const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0
  await devtools.detach()
  return { heap: Math.round(heap / 1e6), resident: Math.round((await residentKb(page)) / 1000) }
}

/** The resident memory of the largest renderer of this page's browser, in kB. */
async function residentKb(page: Page): Promise<number> {
  const browser = page.context().browser()
  if (!browser) throw new Error('the page has no browser')
  const devtools: CDPSession = await browser.newBrowserCDPSession()
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
  await devtools.detach()
  const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
  const sizes = renderers
    .filter((id) => readdirSync('/proc').includes(`${id}`))
    .map((id) => {
      const status = readFileSync(`/proc/${id}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0)
    })
  return Math.max(0, ...sizes)
}

/** Says what was measured where people look at results. */
export function tell(title: string, figures: object): void {
  const lines = Object.entries(figures).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`)
  process.stdout.write(`${title}\n${lines.join('\n')}\n`)
}
