//! Signing in and out.

use std::net::IpAddr;
use std::time::Duration;

use campusdisk_core::{Error, Result, Timestamp};

use super::{Accounts, MAX_ROUNDS, refusal, replacing};
use crate::account::fold;
use crate::hashing::Verdict;
use crate::password::OfferedPassword;
use crate::session::Beginning;
use crate::throttle::ThrottleKey;
use crate::{
    Account, AccountChange, AccountEvent, AccountKey, AccountRecord, Commit, CredentialKind, Device,
    Lifetime, NewSession, Password, PasswordHash, Purpose, Secret, SecretHash, Session, SessionId, UserAgent,
};

/// Longest prefix of a name that is looked up, in bytes; no user name is longer.
const MAX_LOOKUP_BYTES: usize = 1024;

/// What somebody who wants to sign in says.
#[derive(Clone, Copy)]
pub struct SignInRequest<'a> {
    /// Their user name, in any case.
    pub username: &'a str,
    /// Their password.
    pub password: &'a str,
    /// Whether they want to be remembered.
    pub lifetime: Lifetime,
    /// Where they ask from; failures are counted by name and address.
    pub address: Option<IpAddr>,
    /// How their client calls itself; with the address it tells them their sessions apart.
    pub user_agent: Option<&'a str>,
}

impl SignInRequest<'_> {
    fn device(&self) -> Device {
        Device {
            address: self.address,
            user_agent: self.user_agent.map(UserAgent::cut).unwrap_or_default(),
        }
    }
}

/// What comes of signing in.
#[derive(Clone, Debug)]
#[must_use]
pub enum SignIn {
    /// They are in.
    Done(SignedIn),
    /// The name is unknown or the password is wrong, or the challenge is no more; it is not told which.
    Wrong,
    /// The password was right, and the account is locked.
    Locked,
    /// The password was right, and an administrator set it: another one must be chosen with
    /// [`Accounts::answer_challenge`].
    PasswordChangeRequired {
        /// What admits to choosing it.
        challenge: Secret,
    },
    /// Too many failures; nothing was looked at.
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
}

/// Somebody who is in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Their account.
    pub account: Account,
    /// Their session.
    pub session: NewSession,
}

/// What a password that was compared leads to.
enum Decision<'a> {
    Wrong,
    Locked,
    ChooseAnother(&'a AccountRecord),
    Admit { record: &'a AccountRecord, rehash: bool },
}

fn decide(record: Option<&AccountRecord>, verdict: Verdict) -> Decision<'_> {
    match (record, verdict) {
        (None, _) | (_, Verdict::Wrong) => Decision::Wrong,
        (Some(record), _) if record.account.locked => Decision::Locked,
        (Some(record), _) if record.must_change_password => Decision::ChooseAnother(record),
        (Some(record), verdict) => Decision::Admit {
            record,
            rehash: verdict == Verdict::RightButStale,
        },
    }
}

impl Accounts {
    /// Checks a name and a password, and begins a session.
    ///
    /// An unknown name is answered like a wrong password, and costs the same: one slow hash. (An account whose hash has
    /// other parameters than the configured ones differs until its owner signs in.)
    ///
    /// # Errors
    /// [`Unavailable`](campusdisk_core::ErrorKind::Unavailable) when too many passwords wait to be compared; that does
    /// not count as a failure.
    ///
    /// # Cancel safety
    /// When the future is dropped the attempt counts as a failure; a session may have begun that nobody knows.
    pub async fn sign_in(&self, request: SignInRequest<'_>) -> Result<SignIn> {
        let name = lookup_key(request.username);
        let key = ThrottleKey::of(&name, request.address);
        let attempt = match self.0.throttle.begin(key, self.now()).await {
            Ok(attempt) => attempt,
            Err(retry_after) => return Ok(SignIn::Throttled { retry_after }),
        };
        let outcome = self.compare_and_admit(&name, request).await;
        if !matches!(outcome, Ok(SignIn::Wrong)) {
            attempt.forgive();
        }
        outcome
    }

    async fn compare_and_admit(&self, name: &str, request: SignInRequest<'_>) -> Result<SignIn> {
        // A text too long for a password is compared like any other, with nothing.
        let fitting = OfferedPassword::read(request.password);
        let offered = fitting.clone().unwrap_or_default();
        let mut compared: Option<(PasswordHash, Verdict)> = None;
        for _ in 0..MAX_ROUNDS {
            let record = self.store().account(AccountKey::Username(name)).await?;
            let record = record.as_ref().filter(|_| fitting.is_some());
            let stored = record.map(|record| &record.password);
            let verdict = match (&compared, stored) {
                (Some((hash, verdict)), Some(stored)) if hash == stored => *verdict,
                _ => self.0.hashing.verify(&offered, stored).await?,
            };
            compared = stored.map(|stored| (stored.clone(), verdict));
            let outcome = match decide(record, verdict) {
                Decision::Wrong => Some(SignIn::Wrong),
                Decision::Locked => Some(SignIn::Locked),
                Decision::ChooseAnother(record) => self.challenge(record, request).await?,
                Decision::Admit { record, rehash } => {
                    self.admit(record, rehash.then_some(&offered), request).await?
                }
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
        Err(refusal(Commit::Stale))
    }

    async fn challenge(&self, record: &AccountRecord, request: SignInRequest<'_>) -> Result<Option<SignIn>> {
        let (challenge, changes) = self.new_session(
            record,
            Purpose::PasswordChange,
            request.lifetime,
            request.device(),
        );
        let begun = self.begin(unchanged(record), changes).await?;
        Ok(begun.then_some(SignIn::PasswordChangeRequired {
            challenge: challenge.token,
        }))
    }

    async fn admit(
        &self,
        record: &AccountRecord,
        rehash: Option<&OfferedPassword>,
        request: SignInRequest<'_>,
    ) -> Result<Option<SignIn>> {
        let condition = match rehash {
            None => unchanged(record),
            Some(right) => {
                let password = self.0.hashing.hash_again(right).await?;
                replacing(
                    record,
                    &mut AccountRecord {
                        password,
                        ..record.clone()
                    },
                )
            }
        };
        let (session, changes) =
            self.new_session(record, Purpose::SignedIn, request.lifetime, request.device());
        let begun = self.begin(condition, changes).await?;
        Ok(begun.then(|| {
            SignIn::Done(SignedIn {
                account: record.account.clone(),
                session,
            })
        }))
    }

    /// Begins a session unless the account changed since it was read: one that was locked or has another password by
    /// now must not be entered with what was true before.
    async fn begin(&self, condition: AccountChange, changes: Vec<AccountChange>) -> Result<bool> {
        let mut all = vec![condition];
        all.extend(changes);
        match self.store().commit(&all).await? {
            Commit::Done => Ok(true),
            Commit::Stale => Ok(false),
            refused => Err(refusal(refused)),
        }
    }

    /// Chooses another password in answer to [`SignIn::PasswordChangeRequired`], and begins the session that was asked
    /// for. All other sessions of the account end. A refused password leaves the challenge as it was.
    ///
    /// # Errors
    /// * [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the field `new` when the password breaks a rule
    ///   or is the one that must be changed
    /// * [`Unavailable`](campusdisk_core::ErrorKind::Unavailable) when too many passwords wait to be hashed
    pub async fn answer_challenge(&self, challenge: &str, new: &str) -> Result<SignIn> {
        let hash = SecretHash::of(challenge);
        let Some((record, _)) = self.challenged(&hash).await? else {
            return Ok(SignIn::Wrong);
        };
        if record.account.locked {
            return Ok(SignIn::Locked);
        }
        let new = Password::choose("new", new)?;
        if self
            .0
            .hashing
            .verify(&new.offer(), Some(&record.password))
            .await?
            != Verdict::Wrong
        {
            return Err(Error::invalid("new", "is the password that must be changed"));
        }
        let password = self.0.hashing.hash(&new).await?;
        for _ in 0..MAX_ROUNDS {
            // Read again each time: the challenge is good for one answer, and for the password it was made for.
            let Some((before, begun)) = self.challenged(&hash).await? else {
                return Ok(SignIn::Wrong);
            };
            if before.account.locked {
                return Ok(SignIn::Locked);
            }
            let mut after = AccountRecord {
                password: password.clone(),
                must_change_password: false,
                ..before.clone()
            };
            let condition = replacing(&before, &mut after);
            let account = after.account.id.clone();
            let (session, begin) = self.new_session(&after, Purpose::SignedIn, begun.lifetime, begun.device);
            let mut changes = vec![AccountChange::EndSessions {
                account: account.clone(),
                keep: None,
            }];
            changes.extend(begin);
            if self.begin(condition, changes).await? {
                self.forget(&account);
                self.tell(&AccountEvent::PasswordChanged(account));
                return Ok(SignIn::Done(SignedIn {
                    account: after.account,
                    session,
                }));
            }
        }
        Err(refusal(Commit::Stale))
    }

    /// Whose challenge this is, while it lives.
    async fn challenged(&self, hash: &SecretHash) -> Result<Option<(AccountRecord, Session)>> {
        let now = self.now();
        let credential = self.store().credential(hash).await?;
        Ok(credential.and_then(|credential| match credential.kind {
            CredentialKind::Session(session) if is_challenge(&session, now) => {
                Some((credential.account, session))
            }
            _ => None,
        }))
    }

    /// Ends the session with this token; one that is not there is ended.
    ///
    /// # Errors
    /// Those of the store; the session may then live on.
    pub async fn sign_out(&self, token: &str) -> Result<()> {
        let hash = SecretHash::of(token);
        self.commit(&[AccountChange::EndSession(hash)]).await?;
        self.0.principals.forget(&hash);
        Ok(())
    }

    /// A session that begins now, and the changes that store it.
    pub(super) fn new_session(
        &self,
        record: &AccountRecord,
        purpose: Purpose,
        lifetime: Lifetime,
        device: Device,
    ) -> (NewSession, Vec<AccountChange>) {
        let token = Secret::generate("", self.ids());
        let (account, now) = (&record.account.id, self.now());
        let beginning = Beginning {
            id: SessionId::generate(now, self.ids()),
            token: &token,
            account,
            purpose,
            lifetime,
            device,
        };
        let session = Session::begin(beginning, now, self.config());
        let new = NewSession {
            token,
            lifetime,
            expires: session.expires,
        };
        let newest = self.config().max_sessions_per_account;
        let changes = vec![
            AccountChange::PutSession(session),
            AccountChange::LimitSessions {
                account: account.clone(),
                newest,
            },
        ];
        (new, changes)
    }
}

fn unchanged(record: &AccountRecord) -> AccountChange {
    AccountChange::ExpectVersion {
        account: record.account.id.clone(),
        version: record.version,
    }
}

fn is_challenge(session: &Session, now: Timestamp) -> bool {
    session.purpose == Purpose::PasswordChange && session.expires > now
}

/// What a typed name is looked up by.
pub(super) fn lookup_key(name: &str) -> String {
    let mut end = name.len().min(MAX_LOOKUP_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    fold(name.get(..end).unwrap_or_default())
}
