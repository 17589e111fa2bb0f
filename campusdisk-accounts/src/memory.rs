//! Accounts in memory: the executable spec of [`AccountStore`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use campusdisk_core::{AccountId, GroupId, Result};

use crate::{
    AccountChange, AccountKey, AccountQuery, AccountRecord, AccountStore, AppToken, Commit, Credential,
    CredentialKind, Email, Group, GroupQuery, SecretHash, Session, Setup, TokenId,
};

/// Accounts that live as long as this value. For tests and trials: nothing survives the process.
#[derive(Debug, Default)]
pub struct MemoryAccountStore(Mutex<Tables>);

#[derive(Clone, Debug, Default)]
struct Tables {
    accounts: BTreeMap<AccountId, AccountRecord>,
    sessions: BTreeMap<SecretHash, Session>,
    tokens: BTreeMap<TokenId, AppToken>,
    groups: BTreeMap<GroupId, Group>,
    members: BTreeSet<(AccountId, GroupId)>,
    setup_token: Option<SecretHash>,
}

impl MemoryAccountStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A commit works on a copy, so a panic can't leave half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AccountStore for MemoryAccountStore {
    async fn account(&self, key: AccountKey<'_>) -> Result<Option<AccountRecord>> {
        let tables = self.tables();
        Ok(match key {
            AccountKey::Id(id) => tables.accounts.get(id).cloned(),
            AccountKey::Username(key) => tables
                .accounts
                .values()
                .find(|record| record.account.username.key() == key)
                .cloned(),
        })
    }

    async fn accounts(&self, query: &AccountQuery) -> Result<Vec<AccountRecord>> {
        let tables = self.tables();
        let wanted = |record: &AccountRecord| {
            let contains = query
                .contains
                .as_deref()
                .is_none_or(|part| record.search_text().contains(part));
            let id = &record.account.id;
            contains
                && query
                    .member_of
                    .as_ref()
                    .is_none_or(|group| tables.is_member(id, group))
        };
        let accounts = tables.accounts.values().filter(|record| wanted(record));
        let sorted: BTreeMap<_, _> = accounts
            .map(|record| (record.account.username.key(), record))
            .collect();
        Ok(page(sorted, query.after.as_deref(), query.limit))
    }

    async fn credential(&self, hash: &SecretHash) -> Result<Option<Credential>> {
        let tables = self.tables();
        let session = tables.sessions.get(hash).cloned().map(CredentialKind::Session);
        let token = || tables.tokens.values().find(|token| token.hash == *hash).cloned();
        let Some(kind) = session.or_else(|| token().map(CredentialKind::Token)) else {
            return Ok(None);
        };
        let id = match &kind {
            CredentialKind::Session(session) => &session.account,
            CredentialKind::Token(token) => &token.account,
        };
        Ok(tables.accounts.get(id).cloned().map(|account| Credential {
            groups: tables.groups_of(&account.account.id),
            account,
            kind,
        }))
    }

    async fn sessions(&self, account: &AccountId) -> Result<Vec<Session>> {
        let tables = self.tables();
        let mine = tables
            .sessions
            .values()
            .filter(|session| session.account == *account);
        let mut sessions: Vec<_> = mine.cloned().collect();
        sessions.sort_by_key(|session| std::cmp::Reverse((session.created, session.id)));
        Ok(sessions)
    }

    async fn tokens(&self, account: &AccountId) -> Result<Vec<AppToken>> {
        Ok(self
            .tables()
            .tokens
            .values()
            .filter(|token| token.account == *account)
            .cloned()
            .collect())
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>> {
        Ok(self.tables().groups.get(id).cloned())
    }

    async fn groups(&self, query: &GroupQuery) -> Result<Vec<Group>> {
        let tables = self.tables();
        let wanted = |group: &&Group| {
            query
                .with_member
                .as_ref()
                .is_none_or(|account| tables.is_member(account, &group.id))
                && query
                    .contains
                    .as_deref()
                    .is_none_or(|part| group.name.key().contains(part))
        };
        let groups = tables.groups.values().filter(wanted);
        let sorted: BTreeMap<_, _> = groups.map(|group| (group.name.key(), group)).collect();
        Ok(page(sorted, query.after.as_deref(), query.limit))
    }

    async fn member_counts(&self, groups: &[GroupId]) -> Result<BTreeMap<GroupId, u64>> {
        let mut counts = BTreeMap::new();
        for (_, group) in &self.tables().members {
            if groups.contains(group) {
                *counts.entry(group.clone()).or_default() += 1;
            }
        }
        Ok(counts)
    }

    async fn setup(&self) -> Result<Setup> {
        let tables = self.tables();
        Ok(Setup {
            has_administrator: tables.has_administrator(),
            token: tables.setup_token,
        })
    }

    async fn commit(&self, changes: &[AccountChange]) -> Result<Commit> {
        let mut tables = self.tables();
        let mut changed = tables.clone();
        for change in changes {
            match changed.apply(change) {
                Commit::Done => {}
                refused => return Ok(refused),
            }
        }
        *tables = changed;
        Ok(Commit::Done)
    }
}

fn page<T: Clone>(sorted: BTreeMap<String, &T>, after: Option<&str>, limit: u32) -> Vec<T> {
    let rest = sorted
        .into_iter()
        .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
    rest.take(limit as usize).map(|(_, item)| item.clone()).collect()
}

impl Tables {
    fn apply(&mut self, change: &AccountChange) -> Commit {
        match change {
            AccountChange::ExpectVersion { account, version } => {
                let found = self.accounts.get(account).map(|record| record.version);
                done_if(found == Some(*version), Commit::Stale)
            }
            AccountChange::ExpectNoAdministrator => {
                done_if(!self.has_administrator(), Commit::AdministratorExists)
            }
            AccountChange::ExpectOtherAdministrator(id) => {
                let mut accounts = self.accounts.values().map(|record| &record.account);
                let other = accounts.any(|account| account.id != *id && account.admin && !account.locked);
                done_if(other, Commit::LastAdministrator)
            }
            AccountChange::PutAccount { record, replaces } => self.put_account(record, *replaces),
            AccountChange::PutSession(session) => {
                let known = self.accounts.contains_key(&session.account);
                self.sessions.insert(session.hash, session.clone());
                done_if(known, Commit::Stale)
            }
            AccountChange::PutToken(token) => {
                let known = self.accounts.contains_key(&token.account);
                self.tokens.insert(token.id, token.clone());
                done_if(known, Commit::Stale)
            }
            AccountChange::PutGroup(group) => self.put_group(group),
            AccountChange::RenameGroup { group, name } => match self.groups.get(group).cloned() {
                Some(known) => self.put_group(&Group {
                    name: name.clone(),
                    ..known
                }),
                None => Commit::Stale,
            },
            AccountChange::Join { group, account } => {
                let known = self.groups.contains_key(group) && self.accounts.contains_key(account);
                self.members.insert((account.clone(), group.clone()));
                done_if(known, Commit::Stale)
            }
            ending => {
                self.end(ending);
                Commit::Done
            }
        }
    }

    /// The changes that no condition can refuse.
    fn end(&mut self, change: &AccountChange) {
        match change {
            AccountChange::TouchSession { hash, seen, expires } => {
                if let Some(session) = self.sessions.get_mut(hash) {
                    (session.seen, session.expires) = (*seen, *expires);
                }
            }
            AccountChange::EndSession(hash) => {
                self.sessions.remove(hash);
            }
            AccountChange::EndSessions { account, keep } => {
                self.sessions
                    .retain(|hash, session| session.account != *account || Some(*hash) == *keep);
            }
            AccountChange::LimitSessions { account, newest } => self.limit_sessions(account, *newest),
            AccountChange::EndToken { account, id } => {
                self.tokens
                    .retain(|key, token| key != id || token.account != *account);
            }
            AccountChange::EndTokens(account) => self.tokens.retain(|_, token| token.account != *account),
            AccountChange::EndGroup(group) => {
                self.groups.remove(group);
                self.members.retain(|(_, of)| of != group);
            }
            AccountChange::Leave { group, account } => {
                self.members.remove(&(account.clone(), group.clone()));
            }
            AccountChange::PutSetupToken(token) => self.setup_token = *token,
            AccountChange::EndExpired(now) => {
                self.sessions.retain(|_, session| session.expires > *now);
                self.tokens
                    .retain(|_, token| token.expires.is_none_or(|expires| expires > *now));
            }
            _ => {}
        }
    }

    fn put_account(&mut self, record: &AccountRecord, replaces: Option<u64>) -> Commit {
        let account = &record.account;
        if self.accounts.get(&account.id).map(|record| record.version) != replaces {
            return Commit::Stale;
        }
        let email = account.email.as_ref().map(Email::key);
        for other in self
            .accounts
            .values()
            .map(|record| &record.account)
            .filter(|other| other.id != account.id)
        {
            if other.username.key() == account.username.key() {
                return Commit::UsernameTaken;
            }
            if email.is_some() && other.email.as_ref().map(Email::key) == email {
                return Commit::EmailTaken;
            }
        }
        self.accounts.insert(account.id.clone(), record.clone());
        Commit::Done
    }

    fn put_group(&mut self, group: &Group) -> Commit {
        let taken = |other: &Group| other.id != group.id && other.name.key() == group.name.key();
        if self.groups.values().any(taken) {
            return Commit::GroupNameTaken;
        }
        self.groups.insert(group.id.clone(), group.clone());
        Commit::Done
    }

    fn limit_sessions(&mut self, account: &AccountId, newest: u32) {
        let sessions = self
            .sessions
            .values()
            .filter(|session| session.account == *account);
        let mut by_age: Vec<_> = sessions.map(|session| (session.created, session.hash)).collect();
        by_age.sort_unstable();
        let ended = by_age.len().saturating_sub(newest as usize);
        for (_, hash) in by_age.into_iter().take(ended) {
            self.sessions.remove(&hash);
        }
    }

    fn has_administrator(&self) -> bool {
        self.accounts.values().any(|record| record.account.admin)
    }

    fn is_member(&self, account: &AccountId, group: &GroupId) -> bool {
        self.members.contains(&(account.clone(), group.clone()))
    }

    fn groups_of(&self, account: &AccountId) -> Vec<GroupId> {
        self.members
            .iter()
            .filter(|(member, _)| member == account)
            .map(|(_, group)| group.clone())
            .collect()
    }
}

fn done_if(holds: bool, otherwise: Commit) -> Commit {
    if holds { Commit::Done } else { otherwise }
}
