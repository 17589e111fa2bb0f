import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** The servers that `cargo xtask services up`, or `cargo xtask test`, started. */
interface Services {
  hdfs: { url: string; conf_dir: string }
  postgres: { url: string }
  s3: { versitygw: Record<'bucket' | 'endpoint' | 'region' | 'access_key' | 'secret_key', string> }
}

/**
 * Where a hall keeps its files and records in place of its folder, as variables of its environment. The run says so by
 * CAMPUSDISK_TEST_GROUND, hdfs or s3; nothing where it does not, or where the hall's configuration chooses by itself.
 */
export class Ground {
  readonly variables: Record<string, string> = {}
  private schema: string | undefined

  constructor(config: string) {
    const kind = process.env.CAMPUSDISK_TEST_GROUND
    if (!kind || config.includes('[stores') || config.includes('[database]')) return
    const own = randomUUID().replaceAll('-', '')
    const store = kind === 'hdfs' ? onHdfs(own) : onS3(own)
    for (const [key, value] of Object.entries(store)) {
      this.variables[`HALL__STORES__PRIMARY__${key}`] = value
    }
    this.schema = `page_${own}`
    sql(`CREATE SCHEMA ${this.schema}`)
    this.variables.HALL__DATABASE__POSTGRES_URL = `${services().postgres.url}?options[search_path]=${this.schema}`
  }

  remove(): void {
    if (this.schema) sql(`DROP SCHEMA ${this.schema} CASCADE`)
  }
}

function onHdfs(own: string): Record<string, string> {
  const { url, conf_dir } = services().hdfs
  return { KIND: 'hdfs', ROOT: `/ground/${own}`, URL: url, CONF_DIR: conf_dir }
}

function onS3(own: string): Record<string, string> {
  const { bucket, endpoint, region, access_key, secret_key } = services().s3.versitygw
  return {
    KIND: 's3',
    BUCKET: bucket,
    PREFIX: `ground-${own}`,
    ENDPOINT: endpoint,
    REGION: region,
    ACCESS_KEY_ID: access_key,
    SECRET_ACCESS_KEY: secret_key,
    ALLOW_HTTP: 'true',
  }
}

function services(): Services {
  const path = process.env.CAMPUSDISK_TEST_SERVICES
  if (!path) throw new Error('CAMPUSDISK_TEST_SERVICES is not set: `cargo xtask services up` says to what')
  return JSON.parse(readFileSync(path, 'utf8')) as Services
}

function sql(statement: string): void {
  const done = spawnSync('psql', [services().postgres.url, '--quiet', '--command', statement], {
    encoding: 'utf8',
  })
  if (done.status !== 0) throw new Error(`psql: ${done.stderr}`)
}
