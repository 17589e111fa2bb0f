//! Content to look at: folders, files, shares and people, marked as a demonstration.
//!
//! All of it is made by the use-cases that people use. What was made is found again, so that a run that was cut short is
//! finished by the next one and nothing is made twice.

mod content;
mod people;

use std::sync::Arc;

use bytes::Bytes;
use campusdisk_accounts::Accounts;
use campusdisk_axum::AccountsIdentity;
use campusdisk_core::catalog::Catalog;
use campusdisk_core::{
    AccountId, CampusDisk, Clock as _, Desk, EntryName, Error, ErrorKind, Identity as _, NodeId, PutOptions,
    Result, SharePassword, ShareSpec, SystemClock,
};
use serde::{Deserialize, Serialize};

use self::content::Content;
use crate::settings;
use crate::site::Language;

/// Where it is noted what was begun and what is done.
const PROGRESS: &str = "hall.demo";

/// How long the demonstration's shares live.
const SHARED_SECONDS: u64 = 30 * 86_400;

const PAGE_ROWS: u32 = 500;

/// Makes the demonstration.
#[derive(Debug)]
pub(crate) struct Demo {
    disk: CampusDisk,
    accounts: Accounts,
    identity: AccountsIdentity,
    catalog: Arc<dyn Catalog>,
    /// One run at a time.
    running: tokio::sync::Mutex<()>,
}

/// What there is after a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// The folder with everything.
    pub(crate) folder: NodeId,
    /// Whether this run made something of it.
    pub(crate) now: bool,
}

/// A run as it is noted.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Progress {
    account: AccountId,
    language: Language,
    /// The folder, once everything is made.
    folder: Option<NodeId>,
}

impl Demo {
    pub(crate) fn new(disk: CampusDisk, accounts: Accounts, catalog: Arc<dyn Catalog>) -> Self {
        Self {
            disk,
            identity: AccountsIdentity::new(accounts.clone()),
            accounts,
            catalog,
            running: tokio::sync::Mutex::default(),
        }
    }

    /// Makes the demonstration in the drive of `account`. Where a run was begun and not finished, that one is finished; where
    /// everything is there, nothing happens.
    ///
    /// # Errors
    /// What catalog and stores say.
    ///
    /// # Cancel safety
    /// When dropped, part of it may be there; the next run makes the rest.
    pub(crate) async fn fill(&self, account: &AccountId, language: Language) -> Result<Made> {
        let _one = self.running.lock().await;
        let mut progress = Progress {
            account: account.clone(),
            language,
            folder: None,
        };
        if let Some(before) = self.progress().await? {
            match (self.desk(&before.account).await, before.folder) {
                (Ok(desk), Some(folder)) if is_there(&desk, folder).await? => {
                    return Ok(Made { folder, now: false });
                }
                (Ok(_), None) => progress = before,
                // Its owner is gone or has thrown it away: it is made afresh.
                _ => {}
            }
        }
        self.note(&progress).await?;
        let desk = self.desk(&progress.account).await?;
        let content = Content::of(progress.language);
        let folder = self.make_files(&desk, content).await?;
        people::make(&self.accounts, content.people).await?;
        progress.folder = Some(folder);
        self.note(&progress).await?;
        Ok(Made { folder, now: true })
    }

    async fn make_files(&self, desk: &Desk, content: &Content) -> Result<NodeId> {
        let root = desk.home().await?.root;
        let folder = folder(desk, root, content.folder).await?;
        let mut waiting = vec![(folder, content.files)];
        while let Some((at, files)) = waiting.pop() {
            for file in files.files() {
                file_at(desk, at, last_step(file.path()), file.contents()).await?;
            }
            for inner in files.dirs() {
                let name = last_step(inner.path());
                waiting.push((self::folder(desk, at, name).await?, inner));
            }
        }
        let (name, bytes) = content.deleted;
        if !is_in_trash(desk, folder, name).await? {
            let deleted = file_at(desk, folder, name, bytes).await?;
            desk.trash(deleted, None).await?;
        }
        for shared in content.shares {
            let place = desk.child(folder, &EntryName::parse(shared.folder)?).await?;
            let mut spec = ShareSpec::default();
            spec.expires = Some(SystemClock.now() + std::time::Duration::from_secs(SHARED_SECONDS));
            spec.password = shared
                .password
                .map(|password| SharePassword::Chosen(password.to_owned()));
            spec.drop = shared.drop;
            share(desk, place.node.id, spec).await?;
        }
        Ok(folder)
    }

    async fn desk(&self, account: &AccountId) -> Result<Desk> {
        let actor = self.identity.actor(account).await?.ok_or_else(Error::not_found)?;
        Ok(self.disk.drive(actor))
    }

    async fn progress(&self) -> Result<Option<Progress>> {
        let noted = self.catalog.setting(PROGRESS).await?;
        // What can't be read is of another version; then it is looked for by its names.
        Ok(noted.and_then(|noted| serde_json::from_str(&noted.value).ok()))
    }

    async fn note(&self, progress: &Progress) -> Result<()> {
        let text = serde_json::to_string(progress)
            .map_err(|cause| Error::new(ErrorKind::Internal, "the progress can't be noted").because(cause))?;
        settings::store(&*self.catalog, &[(PROGRESS, Some(text))]).await
    }
}

/// The folder of this name, made where it is missing.
async fn folder(desk: &Desk, parent: NodeId, name: &str) -> Result<NodeId> {
    let name = EntryName::parse(name)?;
    match desk.child(parent, &name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(desk.create_folder(parent, name).await?.id),
        found => Ok(found?.node.id),
    }
}

/// The file of this name, put where it is missing; one that is there stays as it is.
async fn file_at(desk: &Desk, parent: NodeId, name: &str, bytes: &'static [u8]) -> Result<NodeId> {
    let name = EntryName::parse(name)?;
    match desk.child(parent, &name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return Ok(found?.node.id),
    }
    let mut options = PutOptions::default();
    options.len_bytes = Some(bytes.len() as u64);
    options.if_absent = true;
    let mut putting = desk.put(parent, name, options).await?;
    putting.write(Bytes::from_static(bytes)).await?;
    Ok(putting.finish().await?.node.id)
}

async fn share(desk: &Desk, node: NodeId, spec: ShareSpec) -> Result<()> {
    let mut before = None;
    loop {
        let page = desk.shares(None, before, PAGE_ROWS).await?;
        if page.items.iter().any(|facts| facts.share.node == node) {
            return Ok(());
        }
        before = page.next;
        if before.is_none() {
            return desk.share(node, spec).await.map(drop);
        }
    }
}

async fn is_there(desk: &Desk, node: NodeId) -> Result<bool> {
    match desk.node(node).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

async fn is_in_trash(desk: &Desk, parent: NodeId, name: &str) -> Result<bool> {
    let mut after = None;
    loop {
        let page = desk.trashed(after, PAGE_ROWS).await?;
        let mut nodes = page.items.iter();
        if nodes.any(|node| node.parent == Some(parent) && node.name.as_str() == name) {
            return Ok(true);
        }
        after = page.next;
        if after.is_none() {
            return Ok(false);
        }
    }
}

/// The last step of a path in the demonstration's folder, which is text by its makers' care.
fn last_step(path: &std::path::Path) -> &str {
    path.file_name()
        .and_then(std::ffi::OsStr::to_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
