//! Where and by what somebody signed in: what lets them know a session of theirs again.

use std::fmt;
use std::net::IpAddr;

/// What is known of the place a session was begun from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Device {
    /// The client's address, where there is one.
    pub address: Option<IpAddr>,
    /// How the client calls itself.
    pub user_agent: UserAgent,
}

/// How a client calls itself (RFC 9110 §10.1.5): a hint for people, true or not; empty when it says nothing.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct UserAgent(String);

impl UserAgent {
    /// How much of it is kept, in bytes. Browsers send 80 to 200.
    pub const MAX_BYTES: usize = 256;

    /// The beginning of what a client says, without control characters.
    pub fn cut(text: &str) -> Self {
        let text = text.trim();
        let shown = text.chars().filter(|character| !character.is_control());
        let mut kept = String::new();
        for character in shown {
            if kept.len() + character.len_utf8() > Self::MAX_BYTES {
                break;
            }
            kept.push(character);
        }
        Self(kept)
    }

    /// What is kept of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_cut_between_characters() {
        assert_eq!(UserAgent::cut(" curl/8.5\u{7}.0 ").as_str(), "curl/8.5.0");
        let long = "校".repeat(100);
        assert_eq!(UserAgent::cut(&long).as_str(), "校".repeat(85));
        assert_eq!(UserAgent::cut("").as_str(), "");
    }
}
