import { expect, PASSWORD, PHONE, test, WIDE } from './support/test'

const WORDS = {
  'zh-CN': {
    name: '学校或服务名称',
    language: '默认语言',
    demo: '放入演示内容',
    username: '用户名',
    password: '密码',
    submit: '创建并登录',
    files: '我的文件',
    folder: '演示内容',
    university: '示例大学网盘',
    save: '保存',
    saved: '已保存。',
    account: 'root',
  },
  en: {
    name: 'Name of the university or service',
    language: 'Default language',
    demo: 'Add demo content',
    username: 'User name',
    password: 'Password',
    submit: 'Make it and sign in',
    files: 'My files',
    folder: 'Demo content',
    university: 'University of Example',
    save: 'Save',
    saved: 'Saved.',
    account: 'root',
  },
} as const

const LOOKS = (['zh-CN', 'en'] as const).flatMap((language) =>
  [PHONE, WIDE].map((viewport) => ({ language, viewport, width: viewport.width })),
)

test.for(LOOKS)(
  'the setup names the hall, sets its language and fills it, by keyboard: $language at $width px',
  async ({ language, viewport }, { hall, arrive }) => {
    const words = WORDS[language]
    // The browser speaks the other language: what is chosen for the hall goes before it.
    const { page } = await arrive({ viewport, locale: language === 'en' ? 'zh-CN' : 'en-GB' })
    await page.goto(hall.setupLink ?? '')
    await page.locator('form select').selectOption(language)
    await page.getByLabel(words.name).focus()
    await page.keyboard.type(words.university)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    expect(await page.getByLabel(words.demo).evaluate((box) => box === document.activeElement)).toBe(true)
    await page.keyboard.press('Space')
    await page.keyboard.press('Tab')
    await page.keyboard.type('root')
    await page.keyboard.press('Tab')
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press('Enter')

    await page.getByRole('heading', { name: words.files }).waitFor()
    await page.getByRole('grid').getByRole('link', { name: words.folder }).waitFor()
    expect(await page.title()).toContain(words.university)

    const { page: another } = await arrive({ viewport, locale: language === 'en' ? 'zh-CN' : 'en-GB' })
    await another.goto('sign-in')
    await another.getByLabel(words.username).waitFor()
    expect(await another.title()).toContain(words.university)
    expect(await another.locator('html').getAttribute('lang')).toBe(language)
  },
)

test('a setup whose later steps fail says so, and goes on where it stopped', async ({ hall, arrive }) => {
  const person = await arrive()
  person.expectStatus(503)
  const { page } = person
  await page.route('**/api/v1/admin/settings', (route) => route.fulfill({ status: 503 }), { times: 1 })
  await page.goto(hall.setupLink ?? '')
  await page.getByLabel(WORDS.en.name).fill('University of Example')
  await page.getByLabel('User name').fill('root')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Make it and sign in' }).click()
  await page.getByText('The administrator’s account is made, but not all else').waitFor()
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByRole('heading', { name: 'My files' }).waitFor()
  expect(await page.title()).toContain('University of Example')
})

test.for(LOOKS)(
  'an administrator changes name and language, and reads the configuration: $language at $width px',
  async ({ language, viewport }, { hall, arrive }) => {
    const words = WORDS[language]
    hall.addAccount('root', '--admin')
    const { page, signIn } = await arrive({ viewport, locale: language }).then((person) => ({
      page: person.page,
      signIn: () => person.signIn('root', PASSWORD),
    }))
    await signIn()
    await page.goto('administration/settings')
    await page.getByLabel(words.name).fill('')
    await page.getByLabel(words.name).pressSequentially(words.university)
    await page.getByLabel(words.language).selectOption(language)
    await page.getByLabel(words.name).press('Enter')
    await page.getByText(words.saved).waitFor()
    expect(await page.title()).toContain(words.university)
    await page.locator('.brand', { hasText: words.university }).waitFor()

    await hall.kill()
    await hall.serve()
    await page.reload()
    await page.locator('.brand', { hasText: words.university }).waitFor()
    await page.locator('details').last().locator('summary').focus()
    await page.keyboard.press('Enter')
    const rest = page.locator('details').last().locator('dl > div', { hasText: 'trash_rest_seconds' })
    await rest.getByText(language === 'en' ? '30 days' : '30天').waitFor()
  },
)

test('an empty name is refused in words, and demo content is made once', async ({ hall, arrive }) => {
  hall.addAccount('root', '--admin')
  const person = await arrive()
  person.expectStatus(422)
  await person.signIn('root', PASSWORD)
  const { page } = person
  await page.goto('administration/settings')
  await page.getByLabel(WORDS.en.name).fill('  ')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('A name has 1 to 100 characters').waitFor()
  const fill = page.getByRole('button', { name: 'Add demo content' })
  await fill.click()
  await page.getByText('The demo content is in your drive.').waitFor()
  await fill.click()
  await page.getByText('The demo content is there already.').waitFor()
  await page.getByRole('button', { name: 'Open', exact: true }).first().click()
  await page.getByRole('grid').getByRole('link', { name: 'Read me first.md' }).waitFor()
})

test('what the configuration says is shown, and can not be changed', async ({ startHall, arrive }) => {
  const hall = await startHall('[page]\nname = "Configured"\nlanguage = "en"\n')
  const { page } = await arrive({ locale: 'zh-CN' })
  await page.goto(hall.setupLink ?? '')
  await page.getByText('The configuration file says so').first().waitFor()
  expect(await page.getByLabel(WORDS.en.name).count()).toBe(0)
  await page.getByLabel('User name').fill('root')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'My files' }).waitFor()
  await page.goto('administration/settings')
  await page.getByText('The configuration file says so').first().waitFor()
  expect(await page.title()).toContain('Configured')
  expect(await page.getByRole('button', { name: 'Save' }).count()).toBe(0)
})
