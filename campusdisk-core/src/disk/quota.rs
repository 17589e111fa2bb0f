//! Quotas and members of drives, for administrators.

use std::collections::BTreeMap;

use super::place::is_lost_race;
use super::shared::CampusDisk;
use crate::catalog::record::{Drive, DriveKind, Member, Role, Subject};
use crate::catalog::{Bulk, Change, Expect, RecordKey};
use crate::{AccountId, DriveId, Error, Result};

/// What a drive keeps, and what it may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriveUsage {
    /// All that is kept: versions and trash too.
    pub used_bytes: u64,
    /// The most that may be kept; `None` without a limit.
    pub quota_bytes: Option<u64>,
}

impl CampusDisk {
    /// Makes a drive with members: a department's, a course's, a service's catalogue.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn create_drive(
        &self,
        kind: DriveKind,
        name: &str,
        quota_bytes: Option<u64>,
        members: &[(Subject, Role)],
    ) -> Result<Drive> {
        let mut set = self.0.change_set();
        let id = DriveId::generate(set.at, &*self.0.ids);
        let drive = self
            .0
            .new_drive(id, kind, name.to_owned(), None, quota_bytes, &mut set);
        for (subject, role) in members {
            set.push(Member {
                drive: id,
                subject: subject.clone(),
                role: *role,
            });
        }
        self.0.commit(set).await?;
        Ok(drive)
    }

    /// Makes somebody a member of a drive, or changes their role; `None` ends the membership.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) without such a drive.
    pub async fn set_member(&self, drive: DriveId, subject: Subject, role: Option<Role>) -> Result<()> {
        self.0.catalog.drive(drive).await?.ok_or_else(Error::not_found)?;
        let mut set = self.0.change_set();
        match role {
            Some(role) => set.push(Member { drive, subject, role }),
            None => set.push(Change::Delete(RecordKey::Member(drive, subject))),
        };
        self.0.commit(set).await.map(drop)
    }

    /// Sets the quota of an account's own drive, where it has one already.
    ///
    /// A quota below what is used deletes nothing; nothing more can come in.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn set_personal_quota(&self, account: &AccountId, quota_bytes: Option<u64>) -> Result<()> {
        let mut tries = 0;
        loop {
            let drives = self
                .0
                .catalog
                .drives_of(&[Subject::Account(account.clone())])
                .await?;
            let own =
                |drive: &Drive| drive.kind == DriveKind::Personal && drive.owner.as_ref() == Some(account);
            let Some(drive) = drives.into_iter().map(|(drive, _)| drive).find(own) else {
                return Ok(());
            };
            let mut set = self.0.change_set();
            set.push(Expect::Version(RecordKey::Drive(drive.id), drive.version));
            set.push(Drive {
                quota_bytes,
                version: drive.version + 1,
                ..drive
            });
            match self.0.commit(set).await {
                Err(error) if is_lost_race(&error) && tries < self.0.policy.race_tries => tries += 1,
                outcome => return outcome.map(drop),
            }
        }
    }

    /// What the own drives of these accounts keep and may keep, by one query. Who has no drive yet is not among them.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn personal_usage(&self, accounts: &[AccountId]) -> Result<BTreeMap<AccountId, DriveUsage>> {
        let subjects: Vec<_> = accounts.iter().cloned().map(Subject::Account).collect();
        let drives = self.0.catalog.drives_of(&subjects).await?;
        let own = drives
            .into_iter()
            .filter(|(drive, _)| drive.kind == DriveKind::Personal)
            .filter_map(|(drive, _)| {
                let usage = DriveUsage {
                    used_bytes: drive.used_bytes,
                    quota_bytes: drive.quota_bytes,
                };
                Some((drive.owner?, usage))
            });
        // A personal drive may have other members: those who were not asked for are not told.
        Ok(own.filter(|(owner, _)| accounts.contains(owner)).collect())
    }

    /// Compares a drive's counters with what they count. Returns (kept, counted) for used and for reserved bytes.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) without such a drive.
    pub async fn check_usage(&self, drive: DriveId) -> Result<[(u64, u64); 2]> {
        let kept = self.0.catalog.drive(drive).await?.ok_or_else(Error::not_found)?;
        let (used, reserved) = self.0.catalog.recount(drive).await?;
        Ok([(kept.used_bytes, used), (kept.reserved_bytes, reserved)])
    }

    /// Sets a drive's counters to what they count.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn rebuild_usage(&self, drive: DriveId) -> Result<()> {
        let mut set = self.0.change_set();
        set.push(Bulk::Recount { drive });
        self.0.commit(set).await.map(drop)
    }
}
