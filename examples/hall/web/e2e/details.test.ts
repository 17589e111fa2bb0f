import { expect, PASSWORD, PHONE, test, WIDE } from './support/test'

const LOOKS = [
  {
    name: 'wide, in English',
    options: { viewport: WIDE, locale: 'en-GB' },
    words: {
      actions: 'Actions for notes.txt',
      details: 'Details',
      sum: '3 downloads through these shares.',
      counts: ['2 of 5 downloads', '1 download ·'],
      end: 'End share: notes.txt',
      go: 'End share',
      left: '2 downloads through these shares.',
    },
  },
  {
    name: 'on a phone, in Chinese',
    options: { viewport: PHONE, locale: 'zh-CN' },
    words: {
      actions: '“notes.txt”的操作',
      details: '详细信息',
      sum: '通过以下分享共下载 3 次。',
      counts: ['已下载 2 次，上限 5 次', '已下载 1 次 ·'],
      end: '取消分享：“notes.txt”',
      go: '取消分享',
      left: '通过以下分享共下载 2 次。',
    },
  },
]

test.for(LOOKS)(
  'details tell what came of each share, and end one by keyboard alone: $name',
  async ({ options, words }, { hall, arrive }) => {
    hall.addAccount('ada')
    const api = `${hall.base}/api/v1`
    const json = { 'content-type': 'application/json' }
    const body = JSON.stringify({ username: 'ada', password: PASSWORD })
    const session = await fetch(`${api}/session`, { method: 'POST', headers: json, body })
    const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    const { items } = (await (await fetch(`${api}/drives`, { headers: { cookie } })).json()) as {
      items: { root: string }[]
    }
    const put = { method: 'PUT', headers: { cookie }, body: 'hello' }
    const file = await fetch(`${api}/nodes/${items[0]?.root}/children/notes.txt`, put)
    const { id } = (await file.json()) as { id: string }
    const share = async (conditions: object) => {
      const init = { method: 'POST', headers: { ...json, cookie }, body: JSON.stringify(conditions) }
      return (await (await fetch(`${api}/nodes/${id}/shares`, init)).json()) as { token: string }
    }
    // Each comes with a ticket of its own, so each is a download.
    const download = async (token: string) => {
      const page = await fetch(`${hall.base}/s/${token}`, { headers: { accept: 'text/html' } })
      const ticket = page.headers.getSetCookie()[0]?.split(';')[0] ?? ''
      const answer = await fetch(`${hall.base}/s/${token}/content`, { headers: { cookie: ticket } })
      return [answer.status, await answer.text()]
    }
    const open = await share({})
    const limited = await share({ max_downloads: 5 })
    for (const { token } of [open, limited, limited]) {
      expect(await download(token)).toEqual([200, 'hello'])
    }

    const person = await arrive(options)
    const { page } = person
    await person.signIn('ada', PASSWORD)
    await page.getByRole('button', { name: words.actions }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('menuitem', { name: words.details }).press('Enter')
    const shares = page.getByRole('dialog', { name: 'notes.txt' }).locator('.node-shares')
    await shares.getByText(words.sum).waitFor()
    const rows = shares.getByRole('listitem')
    for (const [index, { token }] of [limited, open].entries()) {
      await rows.nth(index).getByText(`${hall.base}/s/${token}`).waitFor()
      await rows
        .nth(index)
        .getByText(words.counts[index] ?? '')
        .waitFor()
    }

    await rows.nth(1).getByRole('button', { name: words.end }).focus()
    await page.keyboard.press('Enter')
    const asked = page.getByRole('dialog', { name: words.go, exact: true })
    await asked.waitFor()
    await asked.getByRole('button', { name: words.go, exact: true }).press('Enter')
    await shares.getByText(words.left).waitFor()
    await asked.waitFor({ state: 'hidden' })
    expect(await rows.count()).toBe(1)
    expect((await fetch(`${hall.base}/s/${open.token}/content`)).status).toBe(404)
    // The details are still there, and go away by Escape.
    await page.waitForFunction(() => document.activeElement?.closest('[role=dialog]') !== null)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').first().waitFor({ state: 'hidden' })
  },
)
