//! `hall token`: app tokens for scripts.

use std::time::Duration;

use campusdisk_accounts::{Administrator, IssuedToken, Scopes, TokenName, TokenRequest};
use campusdisk_core::{Clock as _, SystemClock, Timestamp};

use super::account::find;
use crate::cli::{TokenAdd, TokenCommand};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::parts::Records;

/// Runs one of them.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn run(command: TokenCommand) -> Outcome {
    let TokenCommand::Add(add) = command;
    let request = TokenRequest {
        name: TokenName::parse(&add.name)?,
        scopes: scopes(&add.scopes)?,
        expires: add
            .expires
            .as_deref()
            .map(|text| end(text, SystemClock.now()))
            .transpose()?,
    };
    let records = Records::open(&Config::load(add.place.clone().overrides())?).await?;
    let outcome = issue(&records, &add, request).await;
    records.database.close().await;
    println!("{}", outcome?.secret.expose());
    Ok(())
}

async fn issue(records: &Records, add: &TokenAdd, request: TokenRequest) -> Outcome<IssuedToken> {
    let account = find(&records.accounts, &add.account).await?;
    Ok(records
        .accounts
        .create_token_for(&Administrator::operator(), &account.id, request)
        .await?)
}

/// The scopes of `words`, which may hold spaces where a shell was given quotes.
fn scopes(words: &[String]) -> Outcome<Option<Scopes>> {
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    if words.is_empty() {
        return Ok(None);
    }
    Ok(Some(Scopes::parse(words)?))
}

/// When a token ends: a time, or a while from now.
fn end(text: &str, now: Timestamp) -> Outcome<Timestamp> {
    let unit = match text.chars().last() {
        Some('s') => Some(1),
        Some('m') => Some(60),
        Some('h') => Some(60 * 60),
        Some('d') => Some(24 * 60 * 60),
        _ => None,
    };
    let number = text
        .get(..text.len().saturating_sub(1))
        .and_then(|number| number.parse::<u64>().ok());
    if let Some((unit, number)) = unit.zip(number) {
        return Ok(now + Duration::from_secs(number.saturating_mul(unit)));
    }
    let failure = |_| {
        Failure::new(format!(
            "--expires {text}: is neither a time such as 2027-01-31T00:00:00Z nor a while such as 30d"
        ))
    };
    Timestamp::parse("expires", text).map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_while() {
        let now = Timestamp::parse("now", "2026-09-01T00:00:00Z").unwrap();
        for (text, time) in [
            ("90s", "2026-09-01T00:01:30.000Z"),
            ("12h", "2026-09-01T12:00:00.000Z"),
            ("30d", "2026-10-01T00:00:00.000Z"),
            ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00.000Z"),
        ] {
            assert_eq!(end(text, now).unwrap().to_string(), time);
        }
        for text in ["", "d", "soon", "-1d", "1w"] {
            assert!(end(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn scopes_may_have_commas_or_spaces_between_them() {
        let words = ["read".to_owned(), "write share".to_owned()];
        assert_eq!(scopes(&words).unwrap(), Some(Scopes::USUAL));
        assert_eq!(scopes(&[]).unwrap(), None);
        assert!(scopes(&["all".to_owned()]).is_err());
    }
}
