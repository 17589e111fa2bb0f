//! Slow hashing of passwords on a bounded pool.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _, phc};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use campusdisk_core::{Error, ErrorKind, Result};
use tokio::sync::Semaphore;

use crate::password::OfferedPassword;
use crate::{AccountsConfig, Password, PasswordHash};

/// Runs argon2id so that a flood of sign-ins can take neither all processors nor all memory: so many at once, so many
/// waiting, and the rest are told to come back.
pub(crate) struct Hashing {
    argon2: Argon2<'static>,
    unknown: PasswordHash,
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
    runs: AtomicU64,
}

/// What came of comparing a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// Right, but hashed with other parameters than the configured ones.
    RightButStale,
    Wrong,
}

impl Hashing {
    pub(crate) fn new(config: &AccountsConfig) -> Result<Self> {
        let params = Params::new(
            config.argon2_memory_kib,
            config.argon2_passes,
            config.argon2_lanes,
            None,
        )
        .map_err(|cause| {
            Error::invalid(
                "argon2_memory_kib",
                "argon2 takes no such memory, passes and lanes",
            )
            .because(cause.to_string())
        })?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self {
            unknown: hash_of_nothing(argon2.params()),
            argon2,
            running: Arc::new(Semaphore::new(config.hashing_parallel())),
            places: Arc::new(Semaphore::new(config.hashing_parallel() + config.hashing_queue)),
            runs: AtomicU64::new(0),
        })
    }

    pub(crate) async fn hash(&self, password: &Password) -> Result<PasswordHash> {
        self.hash_again(&password.offer()).await
    }

    /// Hashes a password that is known to be right, so that it is kept under the configured parameters.
    pub(crate) async fn hash_again(&self, right: &OfferedPassword) -> Result<PasswordHash> {
        let (argon2, offered) = (self.argon2.clone(), right.clone());
        let hashed = self.run(move || argon2.hash_password(offered.as_bytes())).await?;
        hashed
            .map(|hash: phc::PasswordHash| PasswordHash::from_phc(hash.to_string()))
            .map_err(|cause| {
                Error::new(ErrorKind::Internal, "the password could not be hashed").because(cause)
            })
    }

    /// Compares `offered` with `stored`; without one, with a hash that no password has, at the same cost.
    pub(crate) async fn verify(
        &self,
        offered: &OfferedPassword,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict> {
        let known = stored.is_some();
        let (argon2, offered) = (self.argon2.clone(), offered.clone());
        let stored = stored.unwrap_or(&self.unknown).clone();
        let verdict = self.run(move || verdict(&argon2, &offered, &stored)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    /// How many hashes were computed since the start.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.running.clone().acquire_owned().await.map_err(|_| busy())?;
        self.runs.fetch_add(1, Ordering::Relaxed);
        // The permits go along: a caller that went away must not let another hash start beside this one.
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((turn, place));
            result
        });
        task.await.map_err(|cause| {
            Error::new(ErrorKind::Internal, "the password could not be checked").because(cause)
        })
    }
}

impl fmt::Debug for Hashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashing")
            .field("params", self.argon2.params())
            .finish_non_exhaustive()
    }
}

fn busy() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "too many people are signing in just now; try again in a few seconds",
    )
    .during("hash password (see hashing_queue)")
}

fn verdict(argon2: &Argon2<'_>, offered: &OfferedPassword, stored: &PasswordHash) -> Result<Verdict> {
    let corrupt = |cause: String| {
        Error::new(ErrorKind::Corrupt, "the stored password hash can't be read").because(cause)
    };
    let stored = phc::PasswordHash::new(stored.as_str()).map_err(|cause| corrupt(cause.to_string()))?;
    let params = Params::try_from(&stored).map_err(|cause| corrupt(cause.to_string()))?;
    match argon2.verify_password(offered.as_bytes(), &stored) {
        Ok(()) if is_current(argon2, &stored, &params) => Ok(Verdict::Right),
        Ok(()) => Ok(Verdict::RightButStale),
        Err(password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(cause) => Err(corrupt(cause.to_string())),
    }
}

fn is_current(argon2: &Argon2<'_>, stored: &phc::PasswordHash, params: &Params) -> bool {
    let now = argon2.params();
    stored.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && stored.version == Some(Version::V0x13.into())
        && (params.m_cost(), params.t_cost(), params.p_cost()) == (now.m_cost(), now.t_cost(), now.p_cost())
}

/// A PHC string with the configured cost and a random result: what an unknown name's password is compared with.
fn hash_of_nothing(params: &Params) -> PasswordHash {
    let salt = STANDARD_NO_PAD.encode(rand::random::<[u8; 16]>());
    let result = STANDARD_NO_PAD.encode(rand::random::<[u8; Params::DEFAULT_OUTPUT_LEN]>());
    PasswordHash::from_phc(format!(
        "$argon2id$v=19$m={},t={},p={}${salt}${result}",
        params.m_cost(),
        params.t_cost(),
        params.p_cost()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(text: &str) -> OfferedPassword {
        OfferedPassword::read(text).unwrap()
    }

    fn cheap() -> AccountsConfig {
        AccountsConfig::default()
            .with_argon2_memory_kib(64)
            .with_argon2_passes(1)
    }

    #[tokio::test]
    async fn a_password_fits_its_hash_only_and_is_stale_under_other_parameters() {
        let (old, new) = (
            Hashing::new(&cheap()).unwrap(),
            Hashing::new(&cheap().with_argon2_passes(2)).unwrap(),
        );
        let hash = old
            .hash(&Password::choose("password", "tall ships").unwrap())
            .await
            .unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_eq!(
            old.verify(&offered("tall ships"), Some(&hash)).await.unwrap(),
            Verdict::Right
        );
        assert_eq!(
            new.verify(&offered("tall ships"), Some(&hash)).await.unwrap(),
            Verdict::RightButStale
        );
        assert_eq!(
            new.verify(&offered("tall ship"), Some(&hash)).await.unwrap(),
            Verdict::Wrong
        );
    }

    #[tokio::test]
    async fn an_unknown_name_costs_one_hash_like_a_known_one() {
        let hashing = Hashing::new(&cheap()).unwrap();
        assert_eq!(
            hashing.verify(&offered("anything"), None).await.unwrap(),
            Verdict::Wrong
        );
        assert_eq!(hashing.runs(), 1);
    }

    #[tokio::test]
    async fn a_full_queue_is_answered_at_once_with_come_back_later() {
        let config = cheap().with_hashing_parallel(1).with_hashing_queue(1);
        let hashing = Arc::new(Hashing::new(&config).unwrap());
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let hashing = hashing.clone();
            async move { hashing.run(move || blocked.recv()).await }
        });
        while hashing.runs() == 0 {
            tokio::task::yield_now().await;
        }
        let mut second = Box::pin(hashing.run(|| ()));
        assert!(
            futures_poll(second.as_mut()).await.is_none(),
            "waits for its turn"
        );
        let third = hashing.run(|| ()).await.unwrap_err();
        assert_eq!(third.kind(), ErrorKind::Unavailable);
        release.send(()).unwrap();
        first.await.unwrap().unwrap().unwrap();
        second.await.unwrap();
    }

    async fn futures_poll<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|context| match std::pin::Pin::new(&mut future).poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
