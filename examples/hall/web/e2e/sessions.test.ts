import { expect, PASSWORD, PHONE, test, WIDE } from './support/test'

const UA = {
  phone:
    'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
  library: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0',
}

const LOOKS = [
  {
    name: 'wide, in English',
    options: { viewport: WIDE, locale: 'en-GB' },
    words: {
      title: 'Where you are signed in',
      current: 'This device',
      end: /^Sign out: Chrome on Android/,
      ask: 'Sign out Chrome on Android?',
      others: 'Sign out everywhere else',
      askOthers: 'Sign out everywhere else?',
      alone: 'You are signed in nowhere else.',
    },
  },
  {
    name: 'on a phone, in Chinese',
    options: { viewport: PHONE, locale: 'zh-CN' },
    words: {
      title: '登录设备',
      current: '当前设备',
      end: /^退出登录：Android 上的 Chrome/,
      ask: '让 Android 上的 Chrome 退出登录？',
      others: '退出其他所有设备',
      askOthers: '退出其他所有设备？',
      alone: '没有在其他设备上登录。',
    },
  },
]

test.for(LOOKS)(
  'somebody sees where they are signed in, and ends it by keyboard alone: $name',
  async ({ options, words }, { hall, arrive }) => {
    hall.addAccount('ada')
    const phone = await arrive({ userAgent: UA.phone })
    const library = await arrive({ userAgent: UA.library })
    for (const elsewhere of [phone, library]) {
      elsewhere.expectStatus(401)
      await elsewhere.signIn('ada', PASSWORD)
    }
    const person = await arrive(options)
    const { page } = person
    await person.signIn('ada', PASSWORD)
    await page.goto('profile')
    const section = page.getByRole('region', { name: words.title })
    const rows = section.getByRole('listitem')
    await expect.poll(() => rows.count()).toBe(3)
    // The one in use comes first and has no button.
    const first = rows.first()
    await first.getByText(words.current).waitFor()
    expect(await first.getByRole('button').count()).toBe(0)

    await section.getByRole('button', { name: words.end }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: words.ask }).waitFor()
    await page.waitForFunction(() => document.activeElement?.closest('[role=dialog] footer') !== null)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await expect.poll(() => rows.count()).toBe(2)
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await phone.page.reload()
    await phone.page.waitForURL('**/sign-in**')

    await section.getByRole('button', { name: words.others }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: words.askOthers })
    await dialog.waitFor()
    await page.waitForFunction(() => document.activeElement?.closest('[role=dialog] footer') !== null)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await section.getByText(words.alone).waitFor()
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await page.waitForFunction(() => document.activeElement?.id === 'profile-sessions')
    await library.page.reload()
    await library.page.waitForURL('**/sign-in**')
    await page.reload()
    await expect.poll(() => rows.count()).toBe(1)
  },
)

test('times are those of where the person is', async ({ hall, arrive }) => {
  hall.addAccount('ada')
  const body = JSON.stringify({ username: 'ada', password: PASSWORD })
  const headers = { 'content-type': 'application/json', 'user-agent': 'curl/8.5.0' }
  await fetch(`${hall.base}/api/v1/session`, { method: 'POST', headers, body })
  const person = await arrive({ timezoneId: 'Pacific/Auckland', locale: 'en-GB' })
  const { page } = person
  await person.signIn('ada', PASSWORD)
  const answer = page.waitForResponse((response) => response.url().endsWith('/me/sessions'))
  await page.goto('profile')
  const { items } = (await (await answer).json()) as { items: { used: string; user_agent: string }[] }
  const used = items.find(({ user_agent }) => user_agent.startsWith('curl'))?.used ?? ''
  const there = new Intl.DateTimeFormat('en-GB', {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: 'Pacific/Auckland',
  }).format(new Date(used))
  await page.getByRole('listitem').filter({ hasText: 'curl' }).getByText(`last used ${there}`).waitFor()
})
