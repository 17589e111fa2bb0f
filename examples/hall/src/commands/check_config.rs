//! `hall check-config`: whether the configuration would work, before it has to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, CreateOptions, HealthFacts, ask_health};
use campusdisk_core::{Error, ErrorKind, RandomIds, Result, Span};
use futures::TryStreamExt as _;

use crate::brand::Brand;
use crate::config::{Config, Overrides};
use crate::failure::{Failure, Outcome};
use crate::parts::{self, Database, Records};

/// How long one part may take to answer.
const PART_LIMIT: Duration = Duration::from_secs(30);

const TRIAL: &[u8] = b"campusdisk";

/// Prints a table of all parts and whether they work.
///
/// # Errors
/// How many parts do not.
pub(crate) async fn run(overrides: Overrides) -> Outcome {
    let named = overrides.file.clone();
    let config = Config::load(overrides)?;
    let mut table = Table::default();
    let source = named.map_or_else(
        || "defaults and environment".to_owned(),
        |file| file.display().to_string(),
    );
    table.row("configuration", Ok(source));
    let brand = Brand::load(&config);
    table.row("page", brand.map(|brand| brand.describe()));
    let part = format!("database ({})", config.database.kind());
    match Records::open(&config).await {
        Ok(records) => {
            let reached = records.catalog.setting("installation").await;
            let place = match records.database {
                Database::Sqlite(_) => config.below_data(&config.database.path).display().to_string(),
                Database::Postgres(_) => "answers".to_owned(),
            };
            table.row(&part, reached.map(|_| place).map_err(Failure::from));
            let in_use = parts::check_stores_in_use(&config, &records).await;
            table.row("stores in use", in_use.map(|()| "all are there".to_owned()));
            records.database.close().await;
        }
        Err(failure) => table.row(&part, Err(failure)),
    }
    for (name, settings) in &config.stores {
        let part = format!("store \"{name}\" ({})", settings.kind());
        let reached = in_time(reach(&config, name)).await;
        table.row(&part, reached.map(|facts| describe(&facts)));
    }
    for (name, settings) in &config.mounts {
        let part = format!("mount \"{name}\" ({})", settings.kind());
        table.row(&part, in_time(reach_mount(&config, name)).await);
    }
    if config.cache.redis_url.is_some() {
        table.row("cache (redis)", in_time(reach_redis(&config)).await);
    }
    match table.failed {
        0 => Ok(()),
        1 => Err(Failure::new(
            "one part of the configuration does not work; the table says which and why",
        )),
        more => Err(Failure::new(format!(
            "{more} parts of the configuration do not work; the table says which and why"
        ))),
    }
}

async fn in_time<T>(reached: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let outcome = tokio::time::timeout(PART_LIMIT, reached).await;
    outcome.unwrap_or_else(|_| {
        Err(Failure::new(format!(
            "no answer within {} s",
            PART_LIMIT.as_secs()
        )))
    })
}

async fn reach(config: &Config, name: &str) -> Outcome<HealthFacts> {
    let Some(settings) = config.stores.get(name) else {
        return Ok(HealthFacts::well());
    };
    let store = settings.open(name, config).await?;
    // First, as a blob that is refused tells more than that one would be.
    try_out(&store).await?;
    let facts = ask_health(&*store).await?;
    match facts.takes_bytes {
        true => Ok(facts),
        false => Err(Failure::new(facts.reasons.join("; "))),
    }
}

/// What was done in a store that works, what room it has, and what is not well all the same.
fn describe(facts: &HealthFacts) -> String {
    let done = "wrote, read and deleted a blob".to_owned();
    let room = facts
        .free_bytes
        .map(|free_bytes| format!("{} MiB free", free_bytes >> 20));
    let parts = [Some(done), room].into_iter().flatten();
    parts
        .chain(facts.reasons.iter().cloned())
        .collect::<Vec<_>>()
        .join("; ")
}

/// Looks for one object and reads its first byte.
async fn reach_mount(config: &Config, name: &str) -> Outcome<String> {
    let Some(settings) = config.mounts.get(name) else {
        return Ok(String::new());
    };
    let mount = settings.open(name, config)?;
    let Some(object) = mount.list(None).try_next().await? else {
        return Ok("there is no object in it yet".to_owned());
    };
    if let Some(first) = Span::new(0, object.len_bytes.min(1)) {
        let reader = mount.open(&object).await?;
        reader.read(first).await?.try_collect::<Vec<_>>().await?;
    }
    Ok("found an object and read it".to_owned())
}

/// Connects to Redis, and says what is not well with it. A hall would start without it, so the sentence says that too.
async fn reach_redis(config: &Config) -> Outcome<String> {
    let Some(redis) = config.cache.open_redis().await? else {
        return Ok(String::new());
    };
    let health = redis.health().await;
    redis.shutdown().await;
    let facts = health.map_err(|error| {
        Failure::from(error).during("cache.redis_url (a hall starts and serves without it)")
    })?;
    let answers = std::iter::once("answers".to_owned());
    Ok(answers.chain(facts.reasons).collect::<Vec<_>>().join("; "))
}

/// Writes a blob that nobody knows of, reads it and deletes it.
async fn try_out(store: &Arc<dyn BlobStore>) -> Result<()> {
    let key = BlobKey::generate(&RandomIds);
    let mut writer = store
        .create(
            &key,
            CreateOptions::default().with_expected_bytes(TRIAL.len() as u64),
        )
        .await?;
    writer.write(Bytes::from_static(TRIAL)).await?;
    writer.commit().await?;
    let read = read_back(store, key).await;
    for deleted in store.delete(&[key]).await? {
        deleted.outcome?;
    }
    if read? == TRIAL {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Corrupt,
        "other bytes came back than were written",
    ))
}

async fn read_back(store: &Arc<dyn BlobStore>, key: BlobKey) -> Result<Vec<u8>> {
    let len_bytes = TRIAL.len() as u64;
    let Some(span) = Span::new(0, len_bytes) else {
        return Ok(Vec::new());
    };
    let body = store.open(&BlobRef { key, len_bytes }).await?.read(span).await?;
    let pieces: Vec<Bytes> = body.try_collect().await?;
    Ok(pieces.concat())
}

#[derive(Default)]
struct Table {
    failed: usize,
}

impl Table {
    fn row(&mut self, part: &str, outcome: Outcome<String>) {
        match outcome {
            Ok(detail) => println!("{part:<32}ok      {detail}"),
            Err(failure) => {
                self.failed += 1;
                println!("{part:<32}FAILED  {failure}");
            }
        }
    }
}
