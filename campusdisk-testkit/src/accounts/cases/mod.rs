//! The cases, by the rule they check. A case fails by panicking.
#![expect(clippy::expect_used, reason = "a case is a test and fails by panicking")]

mod commits;
mod credentials;
mod lists;
mod records;

pub use self::commits::*;
pub use self::credentials::*;
pub use self::lists::*;
pub use self::records::*;
