//! What people do with their own account.

use std::time::Duration;

use campusdisk_core::{AccountId, Error, ErrorKind, Result, Timestamp};

use super::{Accounts, MAX_ROUNDS, refusal, replacing};
use crate::hashing::Verdict;
use crate::password::OfferedPassword;
use crate::throttle::ThrottleKey;
use crate::{
    About, Account, AccountChange, AccountEvent, AccountRecord, Administrator, AppToken, Commit, DisplayName,
    Email, Password, Phone, Principal, Proof, Scope, Scopes, Secret, TokenId, TokenName,
};

/// What makes an app token known as one, to people and to scanners for leaked secrets.
const TOKEN_PREFIX: &str = "cdt_";

/// What somebody changes of their profile; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileUpdate {
    /// What others read.
    pub display_name: Option<DisplayName>,
    /// Where they read mail; inner none for nowhere.
    pub email: Option<Option<Email>>,
    /// How to call them.
    pub phone: Option<Phone>,
    /// What they say of themselves.
    pub about: Option<About>,
}

/// What comes of changing a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum PasswordChange {
    /// It is changed, and the other sessions of the account are ended.
    Done,
    /// The current password is another.
    Wrong,
    /// Too many failures; nothing was looked at.
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
}

/// A token somebody wants.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// What it is for.
    pub name: TokenName,
    /// What it may do; without it, the usual.
    pub scopes: Option<Scopes>,
    /// When it ends; without it when it is revoked.
    pub expires: Option<Timestamp>,
}

/// A token just made: the only time its secret is known.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: AppToken,
    /// What the script sends.
    pub secret: Secret,
}

impl Accounts {
    /// An account.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is none.
    pub async fn me(&self, account: &AccountId) -> Result<Account> {
        Ok(self.record(account).await?.account)
    }

    /// Changes a profile.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) when another account has the address.
    pub async fn update_profile(&self, account: &AccountId, update: ProfileUpdate) -> Result<Account> {
        let edit = |record: &mut AccountRecord| {
            let ProfileUpdate {
                display_name,
                email,
                phone,
                about,
            } = update.clone();
            let account = &mut record.account;
            account.display_name = display_name.unwrap_or_else(|| account.display_name.clone());
            account.email = email.unwrap_or_else(|| account.email.clone());
            account.phone = phone.unwrap_or_else(|| account.phone.clone());
            account.about = about.unwrap_or_else(|| account.about.clone());
            Ok(Vec::new())
        };
        let (_, after) = self.revise(account, edit).await?;
        self.tell(&AccountEvent::Changed(after.account.id.clone()));
        Ok(after.account)
    }

    /// Changes the principal's password and ends the other sessions of the account; app tokens stay.
    ///
    /// Guesses of the current password are throttled like those of signing in, by account.
    ///
    /// # Errors
    /// * [`InvalidInput`](ErrorKind::InvalidInput) in the field `new` when the new password breaks a rule
    /// * [`Unavailable`](ErrorKind::Unavailable) when too many passwords wait to be hashed
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: &str,
        new: &str,
    ) -> Result<PasswordChange> {
        let new = Password::choose("new", new)?;
        let key = ThrottleKey::of(principal.account.as_str(), None);
        let attempt = match self.0.throttle.begin(key, self.now()).await {
            Ok(attempt) => attempt,
            Err(retry_after) => return Ok(PasswordChange::Throttled { retry_after }),
        };
        let outcome = self.compare_and_change(principal, current, &new).await;
        if !matches!(outcome, Ok(PasswordChange::Wrong)) {
            attempt.forgive();
        }
        outcome
    }

    async fn compare_and_change(
        &self,
        principal: &Principal,
        current: &str,
        new: &Password,
    ) -> Result<PasswordChange> {
        let compared = self.record(&principal.account).await?.password;
        let offered = OfferedPassword::read(current);
        let stored = offered.as_ref().map(|_| &compared);
        if self
            .0
            .hashing
            .verify(&offered.clone().unwrap_or_default(), stored)
            .await?
            == Verdict::Wrong
        {
            return Ok(PasswordChange::Wrong);
        }
        let password = self.0.hashing.hash(new).await?;
        let keep = match principal.proof {
            Proof::Session(hash) => Some(hash),
            Proof::Token(_) => None,
        };
        let edit = |record: &mut AccountRecord| {
            // Another password was set while this one was compared: it is no longer the current one.
            if record.password != compared {
                return Err(refusal(Commit::Stale));
            }
            record.password = password.clone();
            record.must_change_password = false;
            Ok(vec![AccountChange::EndSessions {
                account: record.account.id.clone(),
                keep,
            }])
        };
        let (_, after) = self.revise(&principal.account, edit).await?;
        self.tell(&AccountEvent::PasswordChanged(after.account.id));
        Ok(PasswordChange::Done)
    }

    /// The app tokens of an account, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tokens(&self, account: &AccountId) -> Result<Vec<AppToken>> {
        self.store().tokens(account).await
    }

    /// Makes an app token for the principal. Without scopes asked for it may read, write and share, as far as the
    /// principal may.
    ///
    /// # Errors
    /// * [`Denied`](ErrorKind::Denied) when it should do more than the principal may
    /// * [`InvalidInput`](ErrorKind::InvalidInput) in `expires` when that is past
    /// * [`LimitExceeded`](ErrorKind::LimitExceeded) when the account has as many as it may
    pub async fn create_token(&self, principal: &Principal, request: TokenRequest) -> Result<IssuedToken> {
        let scopes = match request.scopes {
            Some(scopes) => scopes,
            None => Scopes::USUAL.and(principal.scopes),
        };
        if !principal.scopes.contains_all(scopes) {
            return Err(Error::new(
                ErrorKind::Denied,
                "a token can't be given more than its maker may",
            ));
        }
        self.issue(&principal.account, scopes, request).await
    }

    /// Makes an app token for somebody else. Without scopes asked for it may all that the account may.
    ///
    /// # Errors
    /// Those of [`create_token`](Self::create_token), and [`NotFound`](ErrorKind::NotFound) when there is no such account.
    pub async fn create_token_for(
        &self,
        _by: &Administrator,
        account: &AccountId,
        request: TokenRequest,
    ) -> Result<IssuedToken> {
        let scopes = match request.scopes {
            Some(scopes) => scopes,
            None if self.record(account).await?.account.admin => Scopes::ALL,
            None => Scopes::ALL.without(Scope::Admin),
        };
        self.issue(account, scopes, request).await
    }

    async fn issue(&self, account: &AccountId, scopes: Scopes, request: TokenRequest) -> Result<IssuedToken> {
        let now = self.now();
        if request.expires.is_some_and(|expires| expires <= now) {
            return Err(Error::invalid("expires", "is past"));
        }
        let secret = Secret::generate(TOKEN_PREFIX, self.ids());
        let token = AppToken {
            id: TokenId::generate(now, self.ids()),
            hash: secret.hash(),
            account: account.clone(),
            name: request.name,
            scopes,
            created: now,
            expires: request.expires,
        };
        for _ in 0..MAX_ROUNDS {
            let before = self.record(account).await?;
            self.check_token(&before, scopes).await?;
            // The account's next version makes tokens that are made at the same time count one another.
            let condition = replacing(&before, &mut before.clone());
            match self
                .store()
                .commit(&[condition, AccountChange::PutToken(token.clone())])
                .await?
            {
                Commit::Done => return Ok(IssuedToken { token, secret }),
                Commit::Stale => {}
                refused => return Err(refusal(refused)),
            }
        }
        Err(refusal(Commit::Stale))
    }

    async fn check_token(&self, record: &AccountRecord, scopes: Scopes) -> Result<()> {
        if scopes.contains(Scope::Admin) && !record.account.admin {
            return Err(Error::new(
                ErrorKind::Denied,
                "the account is no administrator, so no token of it can be",
            ));
        }
        if record.account.locked {
            return Err(Error::new(ErrorKind::Denied, "the account is locked"));
        }
        let limit = self.config().max_tokens_per_account;
        if self.store().tokens(&record.account.id).await?.len() >= limit as usize {
            let message = format!("the account has {limit} tokens, the most it may have; revoke one first");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        Ok(())
    }

    /// Revokes an app token of an account.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the account has no such token.
    pub async fn revoke_token(&self, account: &AccountId, id: TokenId) -> Result<()> {
        let tokens = self.store().tokens(account).await?;
        let token = tokens
            .into_iter()
            .find(|token| token.id == id)
            .ok_or_else(Error::not_found)?;
        self.commit(&[AccountChange::EndToken {
            account: account.clone(),
            id,
        }])
        .await?;
        self.0.principals.forget(&token.hash);
        Ok(())
    }
}
