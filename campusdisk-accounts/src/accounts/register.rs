//! How accounts come to be: the first administrator, registration, and the operator's command.

use campusdisk_core::{AccountId, Error, ErrorKind, Result};

use super::{Accounts, SignedIn, refusal};
use crate::{
    Account, AccountChange, AccountEvent, AccountKey, AccountRecord, Administrator, Commit, Device,
    DisplayName, Email, Lifetime, Password, Phone, Purpose, Registration, Secret, SecretHash, Username,
};

/// What somebody who wants an account says.
#[derive(Clone, Copy)]
pub struct Registrant<'a> {
    /// What they want to sign in with.
    pub username: &'a str,
    /// The password they chose.
    pub password: &'a str,
    /// Where they read mail.
    pub email: Option<&'a str>,
}

/// An account that an administrator makes.
#[derive(Clone, Copy)]
pub struct NewAccount<'a> {
    /// Who it is for.
    pub registrant: Registrant<'a>,
    /// Whether they administer the installation.
    pub admin: bool,
}

/// A registrant whose texts obey the rules.
struct Checked {
    username: Username,
    password: Password,
    email: Option<Email>,
}

impl Registrant<'_> {
    fn check(&self) -> Result<Checked> {
        Ok(Checked {
            username: Username::parse(self.username)?,
            password: Password::choose("password", self.password)?,
            email: self
                .email
                .filter(|text| !text.is_empty())
                .map(Email::parse)
                .transpose()?,
        })
    }
}

impl Accounts {
    /// Makes the secret that admits the first administrator, once, in place of the one made before; none when there
    /// is an administrator.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn setup_token(&self) -> Result<Option<Secret>> {
        let token = Secret::generate("", self.ids());
        let changes = [
            AccountChange::ExpectNoAdministrator,
            AccountChange::PutSetupToken(Some(token.hash())),
        ];
        match self.store().commit(&changes).await? {
            Commit::Done => Ok(Some(token)),
            Commit::AdministratorExists => Ok(None),
            refused => Err(refusal(refused)),
        }
    }

    /// Makes the first administrator and signs them in. Of racing calls one makes it.
    ///
    /// # Errors
    /// * [`NotFound`](ErrorKind::NotFound) when there is an administrator
    /// * [`Denied`](ErrorKind::Denied) for a wrong token
    /// * [`InvalidInput`](ErrorKind::InvalidInput) in the field that breaks a rule
    /// * [`AlreadyExists`](ErrorKind::AlreadyExists) when somebody registered with that name or address before
    pub async fn setup(&self, token: &str, registrant: Registrant<'_>, device: Device) -> Result<SignedIn> {
        let setup = self.store().setup().await?;
        if setup.has_administrator {
            return Err(Error::not_found());
        }
        let token = SecretHash::of(token);
        if setup.token != Some(token) {
            return Err(Error::new(
                ErrorKind::Denied,
                "the setup token is not the one printed at the last start",
            ));
        }
        let record = self.new_record(registrant.check()?, true).await?;
        let (session, mut begin) = self.new_session(&record, Purpose::SignedIn, Lifetime::Browser, device);
        let account = record.account.clone();
        let mut changes = vec![
            AccountChange::ExpectNoAdministrator,
            AccountChange::PutAccount {
                record,
                replaces: None,
            },
            AccountChange::PutSetupToken(None),
        ];
        changes.append(&mut begin);
        self.commit(&changes).await?;
        self.tell(&AccountEvent::Created(account.id.clone()));
        Ok(SignedIn { account, session })
    }

    /// Makes an account for whoever asks, where the operator allows it.
    ///
    /// # Errors
    /// * [`Denied`](ErrorKind::Denied) when registration is closed
    /// * [`InvalidInput`](ErrorKind::InvalidInput) in the field that breaks a rule
    /// * [`AlreadyExists`](ErrorKind::AlreadyExists) when the name or the address is taken
    /// * [`Unavailable`](ErrorKind::Unavailable) when too many passwords wait to be hashed
    pub async fn register(&self, registrant: Registrant<'_>) -> Result<Account> {
        if self.config().registration == Registration::Closed {
            return Err(Error::new(
                ErrorKind::Denied,
                "people can't register here; ask an administrator",
            ));
        }
        self.add(registrant, false).await
    }

    /// Makes an account for somebody else.
    ///
    /// # Errors
    /// Those of [`register`](Self::register), but it is never closed.
    pub async fn create(&self, _by: &Administrator, new: NewAccount<'_>) -> Result<Account> {
        self.add(new.registrant, new.admin).await
    }

    async fn add(&self, registrant: Registrant<'_>, admin: bool) -> Result<Account> {
        let checked = registrant.check()?;
        // Asked before the password is hashed: a taken name should cost little.
        let key = checked.username.key();
        if self.store().account(AccountKey::Username(&key)).await?.is_some() {
            return Err(refusal(Commit::UsernameTaken));
        }
        let record = self.new_record(checked, admin).await?;
        let account = record.account.clone();
        let mut changes = vec![AccountChange::PutAccount {
            record,
            replaces: None,
        }];
        if admin {
            changes.push(AccountChange::PutSetupToken(None));
        }
        self.commit(&changes).await?;
        self.tell(&AccountEvent::Created(account.id.clone()));
        Ok(account)
    }

    async fn new_record(&self, checked: Checked, admin: bool) -> Result<AccountRecord> {
        let password = self.0.hashing.hash(&checked.password).await?;
        let display_name = DisplayName::from(&checked.username);
        Ok(AccountRecord {
            account: Account {
                id: AccountId::parse(&self.fresh_id())?,
                username: checked.username,
                email: checked.email,
                display_name,
                phone: Phone::default(),
                about: Default::default(),
                admin,
                locked: false,
                quota_bytes: self.config().default_quota_bytes,
                created: self.now(),
            },
            password,
            must_change_password: false,
            version: 1,
        })
    }
}
