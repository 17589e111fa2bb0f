//! The store of accounts as statements, in the same database as the catalog.

mod apply;
mod rows;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_accounts::{
    AccountChange, AccountKey, AccountQuery, AccountRecord, AccountStore, AppToken, Commit, Credential,
    Group, GroupQuery, SecretHash, Session as SignIn, Setup,
};
use campusdisk_core::{AccountId, Error, GroupId, IdSource as _, RandomIds, Result};

use crate::database::Database;
use crate::failure::Outcome;
use crate::postgres::PostgresDatabase;
use crate::session::{Args, Columns, Row, placeholders};
use crate::sqlite::SqliteDatabase;

/// The store of accounts in a SQL database. Clones share it.
#[derive(Clone, Debug)]
pub struct SqlAccountStore {
    database: Database,
}

impl SqliteDatabase {
    /// The accounts in this file.
    pub fn accounts(&self) -> SqlAccountStore {
        SqlAccountStore {
            database: Database::Sqlite(self.clone()),
        }
    }
}

impl PostgresDatabase {
    /// The accounts in this database.
    pub fn accounts(&self) -> SqlAccountStore {
        SqlAccountStore {
            database: Database::Postgres(self.clone()),
        }
    }
}

#[async_trait]
impl AccountStore for SqlAccountStore {
    async fn account(&self, key: AccountKey<'_>) -> Result<Option<AccountRecord>> {
        let (column, text) = match key {
            AccountKey::Id(id) => ("id", id.as_str()),
            AccountKey::Username(key) => ("username_key", key),
        };
        let sql = format!("SELECT {} FROM accounts a WHERE a.{column} = $1", rows::ACCOUNT);
        self.first(sql, Args::new().text(text), rows::account).await
    }

    async fn accounts(&self, query: &AccountQuery) -> Result<Vec<AccountRecord>> {
        let mut args = Args::new();
        let mut sql = format!("SELECT {} FROM accounts a", rows::ACCOUNT);
        if let Some(group) = &query.member_of {
            args.push_text(Some(group.as_str()));
            sql += &format!(
                " JOIN account_memberships m ON m.account = a.id AND m.in_group = ${}",
                args.len()
            );
        }
        args.push_text(Some(query.after.as_deref().unwrap_or_default()));
        // A key is never empty, so the first page begins after the empty one.
        sql += &format!(" WHERE a.username_key > ${}", args.len());
        if let Some(part) = &query.contains {
            args.push_text(Some(part));
            let part = format!("${}", args.len());
            sql += &format!(" AND {}", self.database.dialect().contains("a.search", &part));
        }
        args.push_int(Some(query.limit.into()));
        sql += &format!(" ORDER BY a.username_key LIMIT ${}", args.len());
        self.list(sql, args, rows::account).await
    }

    async fn credential(&self, hash: &SecretHash) -> Result<Option<Credential>> {
        let hash = hash.as_bytes();
        let found = self
            .database
            .rows(rows::sql_of_session(), Args::new().blob(hash))
            .await?;
        if let Some(credential) = rows::session_credential(&found)? {
            return Ok(Some(credential));
        }
        let found = self
            .database
            .rows(rows::sql_of_token(), Args::new().blob(hash))
            .await?;
        Ok(rows::token_credential(&found)?)
    }

    async fn sessions(&self, account: &AccountId) -> Result<Vec<SignIn>> {
        let sql = format!(
            "SELECT {} FROM account_sessions s WHERE s.account = $1 ORDER BY s.created DESC, s.id DESC",
            rows::SESSION
        );
        self.list(sql, Args::new().text(account.as_str()), rows::session)
            .await
    }

    async fn tokens(&self, account: &AccountId) -> Result<Vec<AppToken>> {
        let sql = format!(
            "SELECT {} FROM account_tokens t WHERE t.account = $1 ORDER BY t.id",
            rows::TOKEN
        );
        self.list(sql, Args::new().text(account.as_str()), rows::token)
            .await
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>> {
        let sql = format!("SELECT {} FROM account_groups g WHERE g.id = $1", rows::GROUP);
        self.first(sql, Args::new().text(id.as_str()), rows::group).await
    }

    async fn groups(&self, query: &GroupQuery) -> Result<Vec<Group>> {
        let mut args = Args::new();
        let mut sql = format!("SELECT {} FROM account_groups g", rows::GROUP);
        if let Some(account) = &query.with_member {
            args.push_text(Some(account.as_str()));
            sql += &format!(
                " JOIN account_memberships m ON m.in_group = g.id AND m.account = ${}",
                args.len()
            );
        }
        args.push_text(Some(query.after.as_deref().unwrap_or_default()));
        sql += &format!(" WHERE g.name_key > ${}", args.len());
        if let Some(part) = &query.contains {
            args.push_text(Some(part));
            let part = format!("${}", args.len());
            sql += &format!(" AND {}", self.database.dialect().contains("g.name_key", &part));
        }
        args.push_int(Some(query.limit.into()));
        sql += &format!(" ORDER BY g.name_key LIMIT ${}", args.len());
        self.list(sql, args, rows::group).await
    }

    async fn member_counts(&self, groups: &[GroupId]) -> Result<BTreeMap<GroupId, u64>> {
        if groups.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut args = Args::new();
        for group in groups {
            args.push_text(Some(group.as_str()));
        }
        let sql = format!(
            "SELECT in_group, COUNT(*) FROM account_memberships WHERE in_group IN ({}) GROUP BY in_group",
            placeholders(0, groups.len())
        );
        let counts = self.list(sql, args, rows::member_count).await?;
        Ok(counts.into_iter().collect())
    }

    async fn setup(&self) -> Result<Setup> {
        // One query, so that both are of one moment.
        let sql = "SELECT (SELECT id FROM accounts WHERE admin = 1 LIMIT 1), (SELECT token FROM account_setup LIMIT 1)";
        let setup = self.first(sql.to_owned(), Args::new(), rows::setup).await?;
        Ok(setup.unwrap_or(Setup {
            has_administrator: false,
            token: None,
        }))
    }

    async fn commit(&self, changes: &[AccountChange]) -> Result<Commit> {
        let (id, changes) = (RandomIds.random(), Arc::new(changes.to_vec()));
        let done = self.database.write(Box::new(move |session| {
            let changes = changes.clone();
            Box::pin(async move { apply::apply(session, id, &changes).await })
        }));
        match done.await {
            Ok(_) => Ok(Commit::Done),
            Err(error) => Refused::of(&error).ok_or(error),
        }
    }
}

impl SqlAccountStore {
    async fn list<T>(
        &self,
        sql: String,
        args: Args,
        read: impl Fn(&mut Columns<'_>) -> Outcome<T>,
    ) -> Result<Vec<T>> {
        let found = self.database.rows(sql, args).await?;
        let items: Outcome<Vec<T>> = found
            .iter()
            .map(|row: &Row| read(&mut Columns::of(row)))
            .collect();
        Ok(items?)
    }

    async fn first<T>(
        &self,
        sql: String,
        args: Args,
        read: impl Fn(&mut Columns<'_>) -> Outcome<T>,
    ) -> Result<Option<T>> {
        Ok(self.list(sql, args, read).await?.into_iter().next())
    }
}

/// Carries an outcome that is no success through the transaction, which keeps nothing of what failed.
#[derive(Clone, Copy, Debug)]
struct Refused(Commit);

impl Refused {
    fn of(error: &Error) -> Option<Commit> {
        error.source()?.downcast_ref::<Self>().map(|refused| refused.0)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the commit is refused: {:?}", self.0)
    }
}

impl StdError for Refused {}
