//! `hall check-config`: whether the configuration would work, before it has to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, CreateOptions};
use campusdisk_core::{Error, ErrorKind, RandomIds, Result, Span};
use futures::TryStreamExt as _;

use crate::brand::Brand;
use crate::config::{Config, Overrides};
use crate::failure::{Failure, Outcome};
use crate::known_stores;
use crate::parts::{Database, Records};

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
            let complete = known_stores::check(&config, &*records.catalog).await;
            table.row("stores", complete.map(|()| config.stores.len().to_string()));
            records.database.close().await;
        }
        Err(failure) => table.row(&part, Err(failure)),
    }
    for (name, settings) in &config.stores {
        let outcome = tokio::time::timeout(PART_LIMIT, reach(&config, name)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            Err(Failure::new(format!(
                "no answer within {} s",
                PART_LIMIT.as_secs()
            )))
        });
        let part = format!("store \"{name}\" ({})", settings.kind());
        table.row(
            &part,
            outcome.map(|()| "wrote, read and deleted a blob".to_owned()),
        );
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

async fn reach(config: &Config, name: &str) -> Outcome {
    let Some(settings) = config.stores.get(name) else {
        return Ok(());
    };
    let store = settings.open(name, config).await?;
    Ok(try_out(&store).await?)
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
