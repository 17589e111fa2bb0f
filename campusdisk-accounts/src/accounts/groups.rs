//! Groups and who is in them.

use std::collections::BTreeMap;

use campusdisk_core::{AccountId, Error, ErrorKind, GroupId, Result};

use super::admin::searched;
use super::{Accounts, Listed, Page, listed, page_start, refusal};
use crate::{Account, AccountChange, AccountQuery, Administrator, Commit, Group, GroupName, GroupQuery};

impl Accounts {
    /// The groups by name; those that have `search` in it, if it is given.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) in `limit`, `after` or `search`.
    pub async fn groups(&self, search: Option<&str>, page: Page<'_>) -> Result<Listed<Group>> {
        let query = GroupQuery {
            contains: searched(search)?,
            ..GroupQuery::default()
        };
        self.list_groups(query, page).await
    }

    /// The groups an account is in, by name.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) in `limit` or `after`.
    pub async fn groups_of(&self, account: &AccountId, page: Page<'_>) -> Result<Listed<Group>> {
        let query = GroupQuery {
            with_member: Some(account.clone()),
            ..GroupQuery::default()
        };
        self.list_groups(query, page).await
    }

    async fn list_groups(&self, query: GroupQuery, page: Page<'_>) -> Result<Listed<Group>> {
        let query = GroupQuery {
            after: page_start(page)?,
            limit: page.limit + 1,
            ..query
        };
        let groups = self.store().groups(&query).await?;
        Ok(listed(groups, page.limit, |group: &Group| group.name.key()))
    }

    /// How many accounts are in each of these groups, by one query; a group that nobody is in may be missing.
    ///
    /// # Errors
    /// What the store says.
    pub async fn member_counts(
        &self,
        _by: &Administrator,
        groups: &[Group],
    ) -> Result<BTreeMap<GroupId, u64>> {
        let ids: Vec<_> = groups.iter().map(|group| group.id.clone()).collect();
        self.store().member_counts(&ids).await
    }

    /// One group.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is none.
    pub async fn group(&self, id: &GroupId) -> Result<Group> {
        self.store().group(id).await?.ok_or_else(Error::not_found)
    }

    /// Makes a group without members.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) when the name is taken.
    pub async fn create_group(&self, _by: &Administrator, name: GroupName) -> Result<Group> {
        let group = Group {
            id: GroupId::parse(&self.fresh_id())?,
            name,
            created: self.now(),
        };
        self.commit(&[AccountChange::PutGroup(group.clone())]).await?;
        Ok(group)
    }

    /// Gives a group another name.
    ///
    /// # Errors
    /// * [`NotFound`](ErrorKind::NotFound) when there is no such group
    /// * [`AlreadyExists`](ErrorKind::AlreadyExists) when another one has the name
    pub async fn rename_group(&self, _by: &Administrator, id: &GroupId, name: GroupName) -> Result<Group> {
        let rename = AccountChange::RenameGroup {
            group: id.clone(),
            name,
        };
        match self.store().commit(&[rename]).await? {
            Commit::Done => self.group(id).await,
            Commit::Stale => Err(Error::not_found()),
            refused => Err(refusal(refused)),
        }
    }

    /// Ends a group; its members stay accounts.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is none.
    pub async fn delete_group(&self, _by: &Administrator, id: &GroupId) -> Result<()> {
        self.group(id).await?;
        self.commit(&[AccountChange::EndGroup(id.clone())]).await?;
        self.0.principals.forget_all();
        Ok(())
    }

    /// The members of a group by user name.
    ///
    /// # Errors
    /// * [`NotFound`](ErrorKind::NotFound) when there is no such group
    /// * [`InvalidInput`](ErrorKind::InvalidInput) in `limit` or `after`
    pub async fn members(
        &self,
        _by: &Administrator,
        group: &GroupId,
        page: Page<'_>,
    ) -> Result<Listed<Account>> {
        let after = page_start(page)?;
        self.group(group).await?;
        let query = AccountQuery {
            member_of: Some(group.clone()),
            after,
            limit: page.limit + 1,
            ..AccountQuery::default()
        };
        self.list(&query, page.limit).await
    }

    /// Makes an account a member; one that is stays one.
    ///
    /// # Errors
    /// * [`NotFound`](ErrorKind::NotFound) when there is no such group or account
    /// * [`LimitExceeded`](ErrorKind::LimitExceeded) when the account is in 1,000 groups
    pub async fn add_member(&self, _by: &Administrator, group: &GroupId, account: &AccountId) -> Result<()> {
        let mine = GroupQuery {
            with_member: Some(account.clone()),
            limit: Page::MAX_LIMIT,
            ..GroupQuery::default()
        };
        if self.store().groups(&mine).await?.len() >= Page::MAX_LIMIT as usize {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                "the account is in 1,000 groups, the most there may be",
            ));
        }
        let join = AccountChange::Join {
            group: group.clone(),
            account: account.clone(),
        };
        match self.store().commit(&[join]).await? {
            Commit::Done => {}
            Commit::Stale => return Err(Error::not_found()),
            refused => return Err(refusal(refused)),
        }
        self.0.principals.forget_all();
        Ok(())
    }

    /// Makes an account no member; one that is none stays none.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no such group or account.
    pub async fn remove_member(
        &self,
        _by: &Administrator,
        group: &GroupId,
        account: &AccountId,
    ) -> Result<()> {
        self.group(group).await?;
        self.record(account).await?;
        let leave = AccountChange::Leave {
            group: group.clone(),
            account: account.clone(),
        };
        self.commit(&[leave]).await?;
        self.0.principals.forget_all();
        Ok(())
    }
}
