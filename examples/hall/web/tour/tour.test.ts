/*
 * The way of a new user through a fresh hall with its defaults, in pictures for docs/tour.md: not a test of every run, but
 * `npm run tour`, on the hall that CAMPUSDISK_HALL_BIN names. Each step is checked as well as shown.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdirSync, openSync, writeFileSync, writeSync, closeSync } from 'node:fs'
import { join } from 'node:path'

import { Hall } from '../e2e/support/hall'
import { OwnDrive } from '../e2e/support/own-drive'
import { expect, PHONE, test } from '../e2e/support/test'

const MB = 1024 * 1024
/** The large file, and the folder with many. */
const LARGE_MB = Number(process.env.CAMPUSDISK_TOUR_MB ?? 2048)
const FILES = Number(process.env.CAMPUSDISK_TOUR_FILES ?? 5000)

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** What the new user has at home: a film of 2 GiB, and a folder of 5,000 lab files. */
function atHome(folder: string) {
  const large = join(folder, '毕业典礼录像.mp4')
  const file = openSync(large, 'w')
  for (let part = 0; part < LARGE_MB / 16; part++) writeSync(file, randomBytes(16 * MB))
  closeSync(file)
  const lab = join(folder, '实验数据')
  for (let number = 0; number < FILES; number++) {
    const inner = join(lab, `第${Math.floor(number / 500) + 1}组`)
    mkdirSync(inner, { recursive: true })
    writeFileSync(
      join(inner, `样本-${number}.csv`),
      `sample,${number}\n${randomBytes(200).toString('hex')}\n`,
    )
  }
  return { large, lab }
}

/** Waits until so many of the 5,000 files are there, and returns how many: asked past the page. */
async function arrived(hall: Hall, least: number): Promise<number> {
  const drive = await OwnDrive.of(hall, 'admin')
  const foldersIn = (id: string) =>
    drive.all<{ id: string; name: string }>(`nodes/${id}/children?category=folder`)
  for (;;) {
    let count = 0
    const lab = (await foldersIn(drive.root)).find(({ name }) => name === '实验数据')
    for (const { id } of lab ? await foldersIn(lab.id) : []) {
      count += (await drive.all(`nodes/${id}/children`)).length
    }
    if (count >= least) return count
    await new Promise((again) => setTimeout(again, 200))
  }
}

test(
  'a new university, from the first start to a locked account',
  { timeout: 3_600_000 },
  async ({ house, arrive }) => {
    const hall = await Hall.start('')
    house.halls.push(hall)
    const home = atHome(hall.folder)

    const root = await arrive({ locale: 'zh-CN', acceptDownloads: true })
    root.expectComplaint(/ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET|ERR_FAILED/)
    root.expectStatus(409)
    const { page } = root
    await page.goto(hall.setupLink ?? '')
    await page.getByLabel('学校或服务名称').fill('北辰大学网盘')
    await page.getByLabel('放入演示内容').check()
    await page.getByLabel('用户名').fill('admin')
    await page.getByLabel('密码', { exact: true }).fill('北辰大学 2026 开学')
    await root.shoot('01-setup')
    await page.getByRole('button', { name: '创建并登录' }).click()
    await page.getByRole('heading', { name: '我的文件' }).waitFor()
    await root.shoot('02-drive')

    // 2 GiB, with a reload and a kill of the hall on the way.
    await page.locator('.drive-view input[type=file]').first().setInputFiles(home.large)
    const reaches = (percent: number) =>
      page.waitForFunction(
        (least) =>
          Number(document.querySelector<HTMLProgressElement>('.transfer-row progress')?.value) >= least,
        percent,
        { timeout: 600_000 },
      )
    await reaches(20)
    await root.shoot('03-upload')
    await page.reload()
    await page.locator('.transfer-row.unfinished').waitFor()
    await root.shoot('04-after-a-reload')
    await page.locator('.transfer-row input[type=file]').setInputFiles(home.large)
    await reaches(50)
    await hall.kill()
    await page.getByText('连接中断，将自动继续').waitFor()
    await root.shoot('05-the-hall-is-gone')
    await hall.serve()
    await page.locator('.transfer-row.done', { hasText: '录像' }).waitFor({ timeout: 600_000 })
    await root.shoot('06-arrived')

    // It comes back equal.
    const [download] = await Promise.all([
      page.waitForEvent('download', { timeout: 600_000 }),
      (async () => {
        await page.getByRole('button', { name: '“毕业典礼录像.mp4”的操作' }).click()
        await page.getByRole('menuitem', { name: '下载' }).click()
      })(),
    ])
    expect(await sha256(await download.path())).toBe(await sha256(home.large))

    // A folder of 5,000 files, again with a reload and a kill on the way. What is there already is skipped.
    await page.getByRole('button', { name: '清除已完成' }).click()
    await page.locator('.folder-input').setInputFiles(home.lab)
    await arrived(hall, 1)
    await root.shoot('07-a-folder-of-5000')
    await arrived(hall, FILES / 4)
    await page.reload()
    await page.getByRole('link', { name: '实验数据' }).first().waitFor()
    await page.locator('.folder-input').setInputFiles(home.lab)
    await page.getByRole('button', { name: '全部跳过' }).click({ timeout: 60_000 })
    await arrived(hall, FILES / 2)
    await hall.kill()
    await page.getByText('连接中断，将自动继续').first().waitFor()
    await hall.serve()
    await page.getByText('全部上传完成').first().waitFor({ timeout: 1_800_000 })
    await root.shoot('08-all-of-it')
    expect(await arrived(hall, FILES)).toBe(FILES)
    await page.getByRole('button', { name: '清除已完成' }).click()

    // A share with a code, opened in another browser profile.
    await page.getByRole('button', { name: '“毕业典礼录像.mp4”的操作' }).click()
    await page.getByRole('menuitem', { name: '分享' }).click()
    const dialog = page.getByRole('dialog')
    await root.shoot('09-share')
    await dialog.getByRole('button', { name: '创建链接' }).click()
    await dialog.getByRole('img', { name: '链接的二维码' }).waitFor()
    await root.shoot('10-shared')
    const link = await dialog.getByLabel('链接', { exact: true }).inputValue()
    const code = await dialog.getByLabel('提取码').inputValue()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    const visitor = await arrive({ locale: 'zh-CN', viewport: PHONE, acceptDownloads: true })
    await visitor.page.goto(link)
    await visitor.page.getByLabel('提取码').fill(code)
    await visitor.shoot('11-visitor')
    await visitor.page.getByRole('button', { name: '打开' }).click()
    await visitor.page.getByRole('link', { name: '下载' }).waitFor()
    await visitor.shoot('12-visitor-inside')
    const [fetched] = await Promise.all([
      visitor.page.waitForEvent('download', { timeout: 600_000 }),
      visitor.page.getByRole('link', { name: '下载' }).click(),
    ])
    expect(await sha256(await fetched.path())).toBe(await sha256(home.large))

    // Deleted and brought back.
    await page.getByRole('link', { name: '毕业典礼录像.mp4' }).focus()
    await page.keyboard.press('Delete')
    await page.getByText('已将“毕业典礼录像.mp4”移到回收站').waitFor()
    await page.getByRole('link', { name: '回收站' }).click()
    await page.getByRole('button', { name: '恢复“毕业典礼录像.mp4”' }).waitFor()
    await root.shoot('13-trash')
    await page.getByRole('button', { name: '恢复“毕业典礼录像.mp4”' }).click()
    await page.getByText('已恢复“毕业典礼录像.mp4”').waitFor()
    await page.getByRole('link', { name: '我的文件' }).first().click()
    await page.getByRole('link', { name: '毕业典礼录像.mp4' }).waitFor()

    // Somebody registers and is locked.
    const student = await arrive({ locale: 'zh-CN', viewport: PHONE })
    student.expectStatus(401)
    student.expectStatus(423)
    await student.page.goto('register')
    await student.page.getByLabel('用户名').fill('liwei')
    await student.page.getByLabel('密码', { exact: true }).fill('晴天有云 2026')
    await student.shoot('14-register')
    await student.page.getByRole('button', { name: '注册' }).click()
    await student.page.getByRole('heading', { name: '我的文件' }).waitFor()
    await page.getByRole('link', { name: '管理' }).click()
    await page.getByRole('button', { name: 'liwei' }).first().click()
    await page.getByRole('menuitem', { name: '锁定' }).click()
    await root.shoot('15-lock')
    await page.getByRole('dialog').getByRole('button', { name: '锁定' }).click()
    await page.getByText('已锁定 liwei。').waitFor()
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await root.shoot('16-locked')
    await student.page.reload()
    await student.page.getByRole('heading', { name: '登录' }).waitFor()
    await student.shoot('17-out')
  },
)
