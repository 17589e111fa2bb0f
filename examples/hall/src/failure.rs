//! Why a command ended, in plain words.

use std::error::Error as _;
use std::fmt;

/// Why a command can't go on: a sentence for the operator, printed on standard error.
pub(crate) struct Failure(String);

/// What a command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Puts what was tried before the reason.
    pub(crate) fn during(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl From<campusdisk_core::Error> for Failure {
    fn from(error: campusdisk_core::Error) -> Self {
        let mut text = match error.field() {
            Some(field) => format!("{field}: {error}"),
            None => error.to_string(),
        };
        // The operator may know every cause; users never see this text.
        let mut cause = error.source();
        while let Some(deeper) = cause {
            let words = deeper.to_string();
            if !text.contains(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            cause = deeper.source();
        }
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
