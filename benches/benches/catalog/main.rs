//! How many change sets the catalog on SQLite commits, alone and with others, and how long a page of a large folder takes.
//!
//! Prints a table. `CAMPUSDISK_BENCH_FOLDER` says on which disk (default: the temporary folder's), `CAMPUSDISK_BENCH_FILES`
//! how many files the folder has (default 100,000). `catalog commits CLIENTS BATCH SETS` does only that, and prints
//! changes per second: `cargo xtask bench` runs it so, to count its syncs from outside. `catalog postgres CLIENTS DRIVES SETS` commits
//! on the PostgreSQL database that `CAMPUSDISK_BENCH_POSTGRES` is the address of, and prints changes per second and the time, in ms,
//! within which 99 of 100 were answered. `catalog pages sqlite FILES` and `catalog pages postgres FILES` print such times of first, middle and
//! last pages of a folder of so many files, by each order.
#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking")]

mod pages;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use campusdisk_core::catalog::record::{
    Blob, BlobState, Category, Content, Drive, DriveKind, Event, Extent, Node, NodeKind, TrashMark, Version,
};
use campusdisk_core::catalog::{
    BlobStep, Bound, Bulk, Catalog, Change, ChangeSet, ChildrenQuery, Counter, Cursor, Expect, Ledger,
    Metadata, Only, Order, SearchQuery, Sort,
};
use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{
    AccountId, ChangeId, Clock, ContentId, DriveId, EntryName, Error, EventId, IdSource, NodeId, RandomIds,
    SystemClock, Timestamp,
};
use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqlCatalog, SqliteDatabase, SqliteOptions};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Fallible<()> {
    let folder = std::env::var_os("CAMPUSDISK_BENCH_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let files = std::env::var("CAMPUSDISK_BENCH_FILES").map_or(Ok(100_000), |text| text.parse())?;
    // Cargo adds an argument of its own, which starts with a dash.
    let words: Vec<_> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    if let [part, clients, batch, sets] = words.as_slice()
        && part == "commits"
    {
        let measured = commits(&folder, clients.parse()?, batch.parse()?, sets.parse()?).await?;
        println!("{:.1}", measured.sets_per_second);
        return Ok(());
    }
    if let [part, database, files] = words.as_slice()
        && part == "pages"
    {
        let files = files.parse()?;
        return match database.as_str() {
            "postgres" => pages::postgres(&postgres_url()?, files).await,
            _ => pages::sqlite(&folder, files).await,
        };
    }
    if let [part, clients, drives, sets] = words.as_slice()
        && part == "postgres"
    {
        return postgres(clients.parse()?, drives.parse()?, sets.parse()?).await;
    }
    for (clients, batch, sets) in [(1, 256, 2000u32), (64, 256, 20_000), (64, 1, 2000)] {
        let measured = commits(&folder, clients, batch, sets).await?;
        println!(
            "{clients:3} clients, up to {batch:3} sets a commit: {:6.0} sets/s, {:.1} sets/commit",
            measured.sets_per_second, measured.sets_per_commit
        );
    }
    large_folder(&folder, files).await
}

fn postgres_url() -> Fallible<String> {
    Ok(std::env::var("CAMPUSDISK_BENCH_POSTGRES")?)
}

struct Measured {
    sets_per_second: f64,
    sets_per_commit: f64,
}

async fn commits(folder: &Path, clients: u32, batch: usize, sets: u32) -> Fallible<Measured> {
    let folder = tempfile::tempdir_in(folder)?;
    let options = SqliteOptions::default().with_batch_sets(batch);
    let database = SqliteDatabase::open_with(folder.path().join("bench.db"), options).await?;
    let (drive, root) = drive(&database.catalog(), 1).await?;
    let before = database.stats();
    let started = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let catalog = database.catalog();
            tokio::spawn(async move {
                for number in 0..sets / clients {
                    let set = finished_upload(drive, root, &format!("{client} file {number}.pdf"));
                    catalog.commit(set).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let took = started.elapsed();
    let stats = database.stats();
    let sets = f64::from(u32::try_from(stats.sets - before.sets)?);
    let commits = f64::from(u32::try_from(stats.commits - before.commits)?);
    database.close().await;
    Ok(Measured {
        sets_per_second: sets / took.as_secs_f64(),
        sets_per_commit: sets / commits,
    })
}

/// Commits finished uploads into as many drives, each client into one.
async fn postgres(clients: u32, drives: u32, sets: u32) -> Fallible<()> {
    let database = PostgresDatabase::connect(&postgres_url()?, PostgresOptions::default()).await?;
    let catalog = database.catalog();
    let mut places = Vec::new();
    for _ in 0..drives {
        places.push(drive(&catalog, rand()).await?);
    }
    let started = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .zip(places.into_iter().cycle())
        .map(|(client, (drive, root))| {
            let catalog = database.catalog();
            tokio::spawn(async move {
                let mut took = Vec::new();
                for number in 0..sets / clients {
                    let set = finished_upload(drive, root, &format!("{client} file {number}.pdf"));
                    let begun = Instant::now();
                    catalog.commit(set).await?;
                    took.push(begun.elapsed());
                }
                Ok::<_, Error>(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    let seconds = started.elapsed().as_secs_f64();
    took.sort();
    let slow = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
    println!(
        "{:.1} {:.1}",
        f64::from(u32::try_from(took.len())?) / seconds,
        slow.as_secs_f64() * 1e3
    );
    database.close().await;
    Ok(())
}

async fn drive(catalog: &SqlCatalog, number: u128) -> Fallible<(DriveId, NodeId)> {
    let (drive, root) = (DriveId::from_u128(number), NodeId::from_u128(number));
    let mut set = ChangeSet::new(ChangeId::from_u128(rand()), SystemClock.now());
    set.push(Drive {
        id: drive,
        kind: DriveKind::Service,
        name: "bench".to_owned(),
        owner: None,
        root,
        quota_bytes: Some(1 << 60),
        created: SystemClock.now(),
        version: 1,
        used_bytes: 0,
        reserved_bytes: 0,
        tree_version: 0,
    });
    set.push(Node {
        parent: None,
        kind: NodeKind::Folder,
        ..file(drive, root, root, "root")
    });
    catalog.commit(set).await?;
    Ok((drive, root))
}

fn rand() -> u128 {
    RandomIds.random()
}

fn file(drive: DriveId, id: NodeId, parent: NodeId, name: &str) -> Node {
    let low = u32::try_from(id.as_u128() & 0xffff_ffff).unwrap_or_default();
    Node {
        id,
        drive,
        parent: Some(parent),
        kind: NodeKind::File,
        name: EntryName::parse(name).expect("it is a name"),
        content: None,
        size_bytes: u64::from(low % 50_000),
        mime: Some("application/pdf".to_owned()),
        category: if low.is_multiple_of(1000) {
            Category::Audio
        } else {
            Category::Document
        },
        created: SystemClock.now(),
        modified: Timestamp::from_millis(i64::from(low % 70_000)),
        version: 1,
        trashed: None,
    }
}

/// What the last byte of a small upload commits.
fn finished_upload(drive: DriveId, root: NodeId, name: &str) -> ChangeSet {
    let now = SystemClock.now();
    let store = StoreName::parse("primary").expect("it is a name");
    let node = NodeId::generate(now, &RandomIds);
    let content = ContentId::generate(now, &RandomIds);
    let key = BlobKey::generate(&RandomIds);
    ChangeSet::new(ChangeId::generate(now, &RandomIds), now)
        .with(Blob {
            store: store.clone(),
            key,
            state: BlobState::Leased,
            owner: "hall".to_owned(),
            until: now + Duration::from_secs(60),
            condemned: None,
            object: None,
            refs: 0,
        })
        .with(Expect::ParentLive(root, drive))
        .with(Content {
            id: content,
            size_bytes: 4096,
            crc32: Some(7),
            sha256: Some([7; 32]),
            created: now,
            layout_version: 1,
            extents: vec![Extent {
                store: store.clone(),
                blob: key,
                blob_len_bytes: 4096,
                offset_bytes: 0,
                len_bytes: 4096,
            }],
            refs: 1,
        })
        .with(Change::Blob(store, key, BlobStep::Attach(1)))
        .with(Node {
            content: Some(content),
            ..file(drive, node, root, name)
        })
        .with(Version {
            node,
            drive,
            number: 1,
            content,
            size_bytes: 4096,
            mime: None,
            created: now,
        })
        .with(Change::Add(Counter::DriveUsed(drive), 4096, Bound::Quota))
        .with(Event {
            id: EventId::generate(now, &RandomIds),
            account: None,
            kind: "upload.completed".to_owned(),
            payload: "{}".to_owned(),
            at: now,
        })
}

async fn large_folder(folder: &Path, files: u32) -> Fallible<()> {
    let folder = tempfile::tempdir_in(folder)?;
    let database = SqliteDatabase::open(folder.path().join("bench.db")).await?;
    let catalog = database.catalog();
    let (drive, root) = drive(&catalog, 1).await?;
    let started = Instant::now();
    for chunk in 0..files / 1000 {
        let mut set = ChangeSet::new(ChangeId::from_u128(rand()), SystemClock.now());
        for number in 0..1000 {
            let name = format!("Document {:06} of a student.pdf", chunk * 1000 + number);
            let id = NodeId::generate(SystemClock.now(), &RandomIds);
            set.push(file(drive, id, root, &name));
        }
        catalog.commit(set).await?;
    }
    println!("{files} files put in {:.1?}", started.elapsed());
    for sort in [Sort::Name, Sort::Size, Sort::Modified] {
        for order in [Order::Ascending, Order::Descending] {
            for only in [None, Some(Only::Files(Category::Audio))] {
                let query = ChildrenQuery {
                    sort,
                    order,
                    only,
                    after: None,
                    limit: 200,
                };
                sorted_pages(&catalog, root, query, files / 2).await?;
            }
        }
    }
    searches(&catalog, drive).await?;
    purge(&catalog, root).await?;
    database.close().await;
    Ok(())
}

async fn sorted_pages(
    catalog: &SqlCatalog,
    root: NodeId,
    mut query: ChildrenQuery,
    middle: u32,
) -> Fallible<()> {
    let (first, rows) = timed_page(catalog, root, &query).await?;
    let mut seen = 0;
    query.limit = 1000;
    while seen < middle {
        let page = catalog.children(root, &query).await?;
        let Some(last) = page.last() else { break };
        query.after = Some(Cursor::after(last, query.sort));
        seen += u32::try_from(page.len())?;
    }
    query.limit = 200;
    let (later, _) = timed_page(catalog, root, &query).await?;
    println!(
        "{:?} {:?} {:?}: first page of {rows} rows {first:.2?}, after {seen} rows {later:.2?}",
        query.sort, query.order, query.only
    );
    Ok(())
}

/// The median of some tries.
async fn timed_page(
    catalog: &SqlCatalog,
    root: NodeId,
    query: &ChildrenQuery,
) -> Fallible<(Duration, usize)> {
    let mut took = Vec::new();
    let mut rows = 0;
    for _ in 0..21 {
        let started = Instant::now();
        rows = catalog.children(root, query).await?.len();
        took.push(started.elapsed());
    }
    took.sort();
    Ok((took.into_iter().nth(10).unwrap_or_default(), rows))
}

async fn searches(catalog: &SqlCatalog, drive: DriveId) -> Fallible<()> {
    for text in ["document", "099999", "nowhere"] {
        let query = SearchQuery {
            drives: vec![drive],
            text: text.to_owned(),
            category: None,
            after: None,
            limit: 50,
        };
        let started = Instant::now();
        let found = catalog.search(&query).await?;
        println!(
            "search for {text}: {} rows in {:.2?}",
            found.len(),
            started.elapsed()
        );
    }
    let started = Instant::now();
    catalog.recount(drive).await?;
    println!("recount in {:.2?}", started.elapsed());
    Ok(())
}

async fn purge(catalog: &SqlCatalog, root: NodeId) -> Fallible<()> {
    let now = SystemClock.now();
    let mut top = catalog.node(root).await?.expect("the root is there");
    top.trashed = Some(TrashMark {
        at: now,
        expires: now,
        by: AccountId::parse("bench")?,
    });
    let set = || ChangeSet::new(ChangeId::from_u128(rand()), now);
    catalog.commit(set().with(top)).await?;
    let started = Instant::now();
    let mut batches = 1;
    while !catalog
        .commit(set().with(Bulk::Purge { root, limit: 500 }))
        .await?
        .bulk
        .iter()
        .all(|bulk| bulk.done)
    {
        batches += 1;
    }
    println!("purged in {batches} batches, {:.2?}", started.elapsed());
    Ok(())
}
