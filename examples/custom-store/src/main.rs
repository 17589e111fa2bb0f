//! Keeps a file in a store of one's own, and reads it back through the service: `cargo run -p custom-store`.

use std::sync::Arc;

use bytes::Bytes;
use campusdisk_core::memory::{MemoryCatalog, MemoryIdentity};
use campusdisk_core::storage::{BlobStore as _, StoreName};
use campusdisk_core::{AccountId, Actor, CampusDisk, EntryName, Policy, PutOptions, Result, Seams, Span};
use custom_store::SqliteStore;
use futures::TryStreamExt as _;

/// More than the catalog keeps beside its rows, so that the bytes go to the store.
const FILE_BYTES: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<()> {
    let path = std::env::temp_dir().join(format!("custom-store-{}.db", std::process::id()));
    let store = SqliteStore::open(StoreName::parse("primary")?, &path).await?;
    let catalog = MemoryCatalog::default();
    let people = MemoryIdentity::default();
    let ada = Actor::new(AccountId::parse("ada")?, "Ada");
    people.admit(ada.clone());

    let seams = Seams::in_process(Arc::new(store.clone()), Arc::new(catalog), Arc::new(people));
    let disk = CampusDisk::open(seams, Policy::default()).await?;
    let desk = disk.drive(ada);
    let home = desk.home().await?;
    let name = EntryName::parse("notes.bin")?;
    let mut putting = desk.put(home.root, name, PutOptions::default()).await?;
    putting.write(Bytes::from(vec![7; FILE_BYTES])).await?;
    let node = putting.finish().await?.node;

    let download = desk.download(node.id).await?;
    if let Some(whole) = Span::whole(download.size_bytes()) {
        let body = download.open(whole).await?;
        println!(
            "{} bytes of {} came back",
            body.collect(FILE_BYTES).await?.len(),
            node.name
        );
    }
    let blobs: Vec<_> = store.list("", None).try_collect().await?;
    println!("{} keeps {} blob(s)", path.display(), blobs.len());
    Ok(())
}
