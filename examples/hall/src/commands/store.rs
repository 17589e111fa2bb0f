//! `hall store`: what lies in the stores, moving it, and reading it against its hashes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use campusdisk_core::storage::StoreName;
use campusdisk_core::{CampusDisk, DriveId, JobOptions, JobStep, JobSteps, Settled, Stock, StockSize};
use futures::StreamExt as _;
use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};

use super::with_disk;
use crate::cli::{JobArgs, MigrateArgs, Place, StoreCommand, VerifyArgs};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::parts::Records;

/// Pause between two looks at how far a job is.
const TICK: Duration = Duration::from_millis(200);
/// A job stops after so many failures one after the other: then a store is down, rather than a file broken.
const FAILURES_IN_A_ROW: u64 = 20;
/// How many files that have a broken content are named.
const FILES_NAMED: u32 = 5;

/// Does what the command says.
///
/// # Errors
/// Why it can't be done, or for how many files it was not.
pub(crate) async fn run(command: StoreCommand) -> Outcome {
    match command {
        StoreCommand::List(place) => over_stores(place, async |stores| list(&stores).await).await,
        StoreCommand::Migrate(args) => {
            let place = args.job.place.clone();
            over_stores(place, async |stores| migrate(&stores, &args).await).await
        }
        StoreCommand::Verify(args) => {
            let place = args.job.place.clone();
            over_stores(place, async |stores| verify(&stores, &args).await).await
        }
    }
}

/// The service over the stores of a configuration.
struct Stores<'a> {
    config: &'a Config,
    records: &'a Records,
    disk: CampusDisk,
}

async fn over_stores(place: Place, work: impl AsyncFnOnce(Stores<'_>) -> Outcome) -> Outcome {
    let config = Config::load(place.overrides())?;
    let records = Records::open(&config).await?;
    let over = async |disk: &CampusDisk| {
        let stores = Stores {
            config: &config,
            records: &records,
            disk: disk.clone(),
        };
        work(stores).await
    };
    let outcome = with_disk(&config, &records, over).await;
    records.database.close().await;
    outcome
}

async fn list(stores: &Stores<'_>) -> Outcome {
    for (name, settings) in &stores.config.stores {
        let stock = stores.stock(name, None)?;
        let size = stores.disk.stock_size(&stock).await?;
        let rows = stores.records.catalog.blobs_of(&stock.store, None, 1).await?;
        let remark = if *name == stores.config.storage.primary {
            "; takes new files"
        } else if rows.is_empty() {
            "; the configuration may do without it"
        } else if size.contents == 0 {
            "; blobs of uploads, or that wait for their deletion, are left"
        } else {
            ""
        };
        println!("{name:<24}{:<8}{}{remark}", settings.kind(), told(size));
    }
    for (name, settings) in &stores.config.mounts {
        let size = stores.disk.stock_size(&stores.stock(name, None)?).await?;
        println!("{name:<24}{:<8}{}; a mount", settings.kind(), told(size));
    }
    Ok(())
}

async fn migrate(stores: &Stores<'_>, args: &MigrateArgs) -> Outcome {
    let stock = stores.stock(&args.from, args.job.drive)?;
    let to = stores.target(&args.to)?;
    stores.check_drive(args.job.drive).await?;
    let size = stores.disk.stock_size(&stock).await?;
    let (from, way) = (&args.from, format!("from \"{}\" to \"{}\"", args.from, args.to));
    if args.dry_run {
        println!("{} would be moved {way}", told(size));
        return Ok(());
    }
    let options = options(&args.job);
    let progress = options.progress.clone();
    let steps = stores.disk.migrate(stock.clone(), &to, options)?;
    let tally = follow(stores, steps, size, &progress).await?;
    println!("moved {way}: {}", counted(tally.done));
    if stores.config.storage.primary == *from {
        println!("storage.primary is still \"{from}\": new files go on coming there");
    }
    tally.outcome("moved; it lies where it lay")
}

async fn verify(stores: &Stores<'_>, args: &VerifyArgs) -> Outcome {
    stores.check_drive(args.job.drive).await?;
    let names: Vec<_> = match &args.store {
        Some(name) => vec![name],
        None => stores
            .config
            .stores
            .keys()
            .chain(stores.config.mounts.keys())
            .collect(),
    };
    let mut all = Tally::default();
    for name in names {
        let stock = stores.stock(name, args.job.drive)?;
        let size = stores.disk.stock_size(&stock).await?;
        let options = options(&args.job);
        let progress = options.progress.clone();
        let steps = stores.disk.verify(stock, options)?;
        let tally = follow(stores, steps, size, &progress).await?;
        println!("store \"{name}\": {} as the hashes say", counted(tally.done));
        all.done += tally.done;
        all.failed += tally.failed;
    }
    all.outcome("verified")
}

impl Stores<'_> {
    /// A store that takes new bytes, by its name.
    fn target(&self, name: &str) -> Outcome<StoreName> {
        if self.config.mounts.contains_key(name) {
            return Err(Failure::new(format!(
                "\"{name}\" is a mount: what lies there is others', and nothing is ever written to it"
            )));
        }
        self.name(name)
    }

    /// A store or a mount, by its name.
    fn name(&self, name: &str) -> Outcome<StoreName> {
        let is_mount = self.config.mounts.contains_key(name);
        if is_mount || self.config.stores.contains_key(name) {
            return Ok(StoreName::parse(name)?);
        }
        let known: Vec<_> = self.config.stores.keys().map(String::as_str).collect();
        Err(Failure::new(format!(
            "there is no store \"{name}\"; under [stores] there is: {}",
            known.join(", ")
        )))
    }

    fn stock(&self, store: &str, drive: Option<DriveId>) -> Outcome<Stock> {
        let store = self.name(store)?;
        Ok(Stock { store, drive })
    }

    async fn check_drive(&self, drive: Option<DriveId>) -> Outcome {
        match drive {
            Some(drive) if self.records.catalog.drive(drive).await?.is_none() => {
                Err(Failure::new(format!("there is no drive {drive}")))
            }
            _ => Ok(()),
        }
    }

    /// Says what failed, and which files it is about.
    async fn tell_failure(
        &self,
        step: &JobStep,
        error: &campusdisk_core::Error,
        bar: &ProgressBar,
    ) -> Outcome {
        let versions = self.disk.versions_of(step.content, FILES_NAMED).await?;
        let failure = Failure::from(error.clone());
        bar.suspend(|| {
            eprintln!("FAILED content {}: {failure}", step.content);
            for version in &versions {
                eprintln!(
                    "  file {}, version {}, in drive {}",
                    version.node, version.number, version.drive
                );
            }
        });
        Ok(())
    }
}

fn options(args: &JobArgs) -> JobOptions {
    JobOptions::default().with_max_bytes_per_second(args.max_bytes_per_second)
}

fn told(size: StockSize) -> String {
    format!("{}, {}", counted(size.contents), BinaryBytes(size.bytes))
}

fn counted(contents: u64) -> String {
    match contents {
        1 => "1 content".to_owned(),
        more => format!("{more} contents"),
    }
}

/// How many contents a job is through with.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    done: u64,
    failed: u64,
    failed_in_a_row: u64,
}

impl Tally {
    fn outcome(self, what: &str) -> Outcome {
        match self.failed {
            0 => Ok(()),
            failed => Err(Failure::new(format!(
                "{} could not be {what}. What failed is listed above",
                counted(failed)
            ))),
        }
    }
}

/// Follows a job to its end, and shows on a terminal how far it is.
async fn follow(
    stores: &Stores<'_>,
    mut steps: JobSteps,
    size: StockSize,
    progress: &AtomicU64,
) -> Outcome<Tally> {
    let bar = ProgressBar::new(size.bytes).with_style(style()?);
    let mut ticks = tokio::time::interval(TICK);
    let mut tally = Tally::default();
    loop {
        let step = tokio::select! {
            step = steps.next() => step,
            _ = ticks.tick() => {
                bar.set_position(progress.load(Ordering::Relaxed).min(size.bytes));
                continue;
            }
        };
        let Some(step) = step else { break };
        let step = step?;
        match &step.outcome {
            Ok(Settled::Done) => {
                tally.done += 1;
                tally.failed_in_a_row = 0;
            }
            Ok(Settled::Gone) => {}
            Err(error) => {
                tally.failed += 1;
                tally.failed_in_a_row += 1;
                stores.tell_failure(&step, error, &bar).await?;
            }
        }
        if tally.failed_in_a_row >= FAILURES_IN_A_ROW {
            bar.abandon();
            return Err(Failure::new(format!(
                "{FAILURES_IN_A_ROW} contents failed one after the other, so the job stopped; begun again, it goes on where it was"
            )));
        }
    }
    bar.finish_and_clear();
    Ok(tally)
}

fn style() -> Outcome<ProgressStyle> {
    let style = ProgressStyle::with_template(
        "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
    );
    style.map_err(|error| Failure::new(format!("the bar can't be drawn: {error}")))
}
