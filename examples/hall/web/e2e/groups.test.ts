import { expect, PASSWORD, PHONE, test, WIDE, type Person } from './support/test'

/** What the page calls things, in the look's language. */
const LOOKS = [
  {
    name: 'wide, in English',
    options: { viewport: WIDE, locale: 'en-GB' },
    words: {
      title: 'Groups',
      make: 'New group',
      name: 'Name',
      taken: 'Another group has this name.',
      membersOf: 'Members of Physics',
      find: 'Find people to add',
      add: 'Add ada',
      added: 'ada is added.',
      remove: 'Remove ada',
      counted: '1 member ·',
      nobody: 'Nobody is in this group yet.',
      rename: 'Rename Physics',
      delete: 'Delete Optics',
      deleteAsk: 'Delete the group Optics?',
      deleted: 'The group Optics is deleted.',
      none: 'There are no groups yet',
      actions: 'Actions for ada',
      groupsOf: 'Groups of ada',
      findGroup: 'Find groups to join',
      addGroup: 'Add Physics',
      removeGroup: 'Remove Physics',
    },
  },
  {
    name: 'on a phone, in Chinese',
    options: { viewport: PHONE, locale: 'zh-CN' },
    words: {
      title: '用户组',
      make: '新建用户组',
      name: '名称',
      taken: '已有同名的用户组。',
      membersOf: '“Physics”的成员',
      find: '查找要添加的用户',
      add: '添加“ada”',
      added: '已添加“ada”。',
      remove: '移除“ada”',
      counted: '1 名成员 ·',
      nobody: '该用户组还没有成员。',
      rename: '重命名“Physics”',
      delete: '删除“Optics”',
      deleteAsk: '删除用户组“Optics”？',
      deleted: '已删除用户组“Optics”。',
      none: '还没有用户组',
      actions: '“ada”的操作',
      groupsOf: '“ada”所在的用户组',
      findGroup: '查找要加入的用户组',
      addGroup: '添加“Physics”',
      removeGroup: '移除“Physics”',
    },
  },
]

/** Presses a button as somebody without a mouse does. */
async function press({ page }: Person, name: string) {
  await page.getByRole('button', { name, exact: true }).focus()
  await page.keyboard.press('Enter')
}

const inputHasFocus = ({ page }: Person) =>
  page.waitForFunction(() => document.activeElement?.tagName === 'INPUT')

async function closed({ page }: Person) {
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
}

test.for(LOOKS)(
  'an administrator keeps groups and who is in them by keyboard alone: $name',
  { timeout: 90_000 },
  async ({ options, words }, { hall, arrive }) => {
    hall.addAccount('root', '--admin')
    hall.addAccount('ada')
    const admin = await arrive(options)
    admin.expectStatus(409)
    await admin.signIn('root', PASSWORD)
    const { page } = admin
    await page.goto('administration')
    await page.getByRole('link', { name: words.title }).press('Enter')
    await page.getByText(words.none).waitFor()

    for (const name of ['Physics', 'physics']) {
      await press(admin, words.make)
      await inputHasFocus(admin)
      await page.keyboard.type(name)
      await page.keyboard.press('Enter')
      if (name === 'Physics') await page.getByRole('dialog').waitFor({ state: 'hidden' })
    }
    await page.getByText(words.taken).waitFor()
    await closed(admin)
    const rows = page.getByRole('list', { name: words.title }).getByRole('listitem')
    expect(await rows.count()).toBe(1)

    await press(admin, words.membersOf)
    await page.getByRole('dialog', { name: words.membersOf }).getByText(words.nobody).waitFor()
    await inputHasFocus(admin)
    await page.keyboard.type('ad')
    await page.getByRole('button', { name: words.add }).waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByText(words.added).waitFor({ state: 'attached' })
    // Ready for the next name.
    await inputHasFocus(admin)
    await page.getByRole('button', { name: words.remove }).waitFor()
    await closed(admin)
    await rows.filter({ hasText: words.counted }).waitFor()

    await press(admin, words.rename)
    await inputHasFocus(admin)
    await page.keyboard.type('Optics')
    await page.keyboard.press('Enter')
    await rows.filter({ hasText: 'Optics' }).waitFor()

    await press(admin, words.delete)
    await page.getByRole('dialog', { name: words.deleteAsk }).waitFor()
    await page.waitForFunction(() => document.activeElement?.closest('[role=dialog] footer') !== null)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByText(words.deleted).waitFor()
    await page.getByText(words.none).waitFor()
  },
)

test.for(LOOKS)(
  'a person is put into a group and taken out of it where people are: $name',
  { timeout: 90_000 },
  async ({ options, words }, { hall, arrive }) => {
    hall.addAccount('root', '--admin')
    hall.addAccount('ada')
    const admin = await arrive(options)
    await admin.signIn('root', PASSWORD)
    const { page } = admin
    await page.evaluate(() =>
      fetch('api/v1/admin/groups', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'Physics' }),
      }),
    )
    await page.goto('administration')
    await press(admin, words.actions)
    await page.getByRole('menuitem', { name: words.title }).press('Enter')
    const dialog = page.getByRole('dialog', { name: words.groupsOf })
    await dialog.waitFor()
    await inputHasFocus(admin)
    await page.keyboard.type('phys')
    await dialog.getByRole('button', { name: words.addGroup }).waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await dialog.getByRole('button', { name: words.removeGroup }).waitFor()
    await closed(admin)

    await page.goto('administration/groups')
    await press(admin, words.membersOf)
    await page.getByRole('button', { name: words.remove }).press('Enter')
    await page.getByText(words.nobody).waitFor()
  },
)
