//! `hall mount`: what others keep in the mounts, and publishing it in place.

use std::collections::BTreeMap;

use campusdisk_accounts::Account;
use campusdisk_core::mount::{ObjectPath, ObjectRef};
use campusdisk_core::storage::StoreName;
use campusdisk_core::{CampusDisk, EntryName, FilePlace, NodeId, Published, Stock};
use futures::StreamExt as _;
use indicatif::BinaryBytes;

use super::{account, with_disk};
use crate::cli::{MountCommand, MountList, PublishArgs};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::parts::Records;

/// Publishing stops after so many failures one after the other: then a part is down, rather than an object bad.
const FAILURES_IN_A_ROW: u32 = 20;

/// Does what the command says.
///
/// # Errors
/// Why it can't be done, or for how many objects it was not.
pub(crate) async fn run(command: MountCommand) -> Outcome {
    let place = match &command {
        MountCommand::List(args) => &args.place,
        MountCommand::Publish(args) => &args.place,
    };
    let config = Config::load(place.clone().overrides())?;
    let records = Records::open(&config).await?;
    let work = async |disk: &CampusDisk| match &command {
        MountCommand::List(args) => list(&config, disk, args).await,
        MountCommand::Publish(args) => publish(&config, &records, disk, args).await,
    };
    let outcome = with_disk(&config, &records, work).await;
    records.database.close().await;
    outcome
}

async fn list(config: &Config, disk: &CampusDisk, args: &MountList) -> Outcome {
    if let Some(name) = &args.mount {
        let mut objects = objects(config, disk, name, args.under.as_deref())?;
        while let Some(object) = objects.next().await {
            let object = object?;
            println!(
                "{:>12}  {}",
                BinaryBytes(object.len_bytes).to_string(),
                object.path
            );
        }
        return Ok(());
    }
    for (name, settings) in &config.mounts {
        let store = StoreName::parse(name)?;
        let published = disk.stock_size(&Stock { store, drive: None }).await?;
        println!(
            "{name:<24}{:<8}{} contents published, {}",
            settings.kind(),
            published.contents,
            BinaryBytes(published.bytes)
        );
    }
    Ok(())
}

async fn publish(config: &Config, records: &Records, disk: &CampusDisk, args: &PublishArgs) -> Outcome {
    let by = match &args.account {
        Some(name) => account::find(&records.accounts, name).await?,
        None => account::only_administrator(&records.accounts).await?,
    };
    let drive = records.catalog.drive(args.drive).await?;
    let drive = drive.ok_or_else(|| Failure::new(format!("there is no drive {}", args.drive)))?;
    let publisher = Publisher {
        disk,
        mount: StoreName::parse(&args.mount)?,
        by,
        root: drive.root,
        into: folders(args.into.as_deref())?,
        under: args.under.as_deref().map(ObjectPath::parse).transpose()?,
        hidden: args.hidden,
        dry_run: args.dry_run,
    };
    let mut objects = objects(config, disk, &args.mount, args.under.as_deref())?;
    let mut tally = Tally::default();
    while let Some(object) = objects.next().await {
        let object = object?;
        match publisher.publish(&object).await {
            Ok(word) => {
                tally.failed_in_a_row = 0;
                if word != Word::Unchanged && word != Word::Hidden {
                    println!("{:<12}{}", word.as_str(), object.path);
                }
                *tally.done.entry(word).or_default() += 1;
            }
            Err(failure) => {
                tally.failed += 1;
                tally.failed_in_a_row += 1;
                eprintln!("FAILED {}: {failure}", object.path);
            }
        }
        if tally.failed_in_a_row >= FAILURES_IN_A_ROW {
            return Err(Failure::new(format!(
                "{FAILURES_IN_A_ROW} objects failed one after the other, so publishing stopped; run again, it goes on with the rest"
            )));
        }
    }
    tally.outcome()
}

fn objects<'a>(
    config: &Config,
    disk: &'a CampusDisk,
    name: &str,
    under: Option<&str>,
) -> Outcome<futures::stream::BoxStream<'a, campusdisk_core::Result<ObjectRef>>> {
    if !config.mounts.contains_key(name) {
        let known: Vec<_> = config.mounts.keys().map(String::as_str).collect();
        let known = match known.as_slice() {
            [] => "nothing".to_owned(),
            known => known.join(", "),
        };
        return Err(Failure::new(format!(
            "there is no mount \"{name}\"; under [mounts] there is: {known}"
        )));
    }
    let under = under.map(ObjectPath::parse).transpose()?;
    Ok(disk.mount(&StoreName::parse(name)?)?.list(under.as_ref()))
}

/// The names of a way of folders.
fn folders(way: Option<&str>) -> Outcome<Vec<EntryName>> {
    let names = way.unwrap_or_default().split('/').filter(|name| !name.is_empty());
    let names = names
        .map(EntryName::parse)
        .collect::<campusdisk_core::Result<_>>();
    names.map_err(|error| Failure::from(error).during("in --into"))
}

/// Publishes objects of one mount below one folder.
struct Publisher<'a> {
    disk: &'a CampusDisk,
    mount: StoreName,
    by: Account,
    root: NodeId,
    into: Vec<EntryName>,
    under: Option<ObjectPath>,
    hidden: bool,
    dry_run: bool,
}

impl Publisher<'_> {
    async fn publish(&self, object: &ObjectRef) -> Outcome<Word> {
        let way = match &self.under {
            Some(folder) => object.path.below(folder).unwrap_or_default(),
            None => object.path.as_str(),
        };
        if !self.hidden && way.split('/').any(|name| name.starts_with(['.', '_'])) {
            return Ok(Word::Hidden);
        }
        let mut names = way.split('/').map(EntryName::parse);
        let name = names.next_back().transpose()?;
        let name = name.ok_or_else(|| Failure::new("the object has no name"))?;
        let mut folders = self.into.clone();
        for folder in names {
            folders.push(folder?);
        }
        if self.dry_run {
            return Ok(Word::Found);
        }
        let place = FilePlace {
            folder: self.root,
            folders,
            name,
        };
        let published = self
            .disk
            .publish_in_place(&self.mount, &object.path, place, &self.by.id)
            .await?;
        Ok(match published {
            Published::Created(_) => Word::Created,
            Published::NewVersion(_) => Word::NewVersion,
            _ => Word::Unchanged,
        })
    }
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Found,
    Created,
    NewVersion,
    Unchanged,
    Hidden,
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::Found => "would be",
            Self::Created => "new",
            Self::NewVersion => "new version",
            Self::Unchanged => "unchanged",
            Self::Hidden => "hidden",
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    done: BTreeMap<Word, u64>,
    failed: u64,
    failed_in_a_row: u32,
}

impl Tally {
    fn outcome(self) -> Outcome {
        let counted: Vec<_> = self
            .done
            .iter()
            .map(|(word, count)| format!("{count} {}", word.as_str()))
            .collect();
        match counted.is_empty() {
            true => println!("nothing was published"),
            false => println!("{}", counted.join(", ")),
        }
        match self.failed {
            0 => Ok(()),
            failed => Err(Failure::new(format!(
                "{failed} objects could not be published; they are listed above"
            ))),
        }
    }
}
