//! `hall account`: accounts without a browser.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use campusdisk_accounts::{
    Account, AccountUpdate, Accounts, Administrator, NewAccount, NextSignIn, Page, Registrant,
};
use campusdisk_core::ErrorKind;

use crate::cli::{AccountCommand, Named};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::parts::Records;

/// Longest line that is read for a password, in bytes; far above what a password may have.
const MAX_LINE_BYTES: u64 = 8192;

/// Runs one of them.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn run(command: AccountCommand) -> Outcome {
    let operator = Administrator::operator();
    match command {
        AccountCommand::Add {
            name,
            admin,
            email,
            place,
        } => {
            let password = read_password()?;
            let records = Records::open(&Config::load(place.overrides())?).await?;
            let registrant = Registrant {
                username: &name,
                password: &password,
                email: email.as_deref(),
            };
            let made = records
                .accounts
                .create(&operator, NewAccount { registrant, admin })
                .await;
            records.database.close().await;
            println!("added {}", made?.username);
        }
        AccountCommand::Lock(named) => set_locked(named, true).await?,
        AccountCommand::Unlock(named) => set_locked(named, false).await?,
        AccountCommand::Passwd(named) => {
            let password = read_password()?;
            let records = Records::open(&Config::load(named.place.overrides())?).await?;
            let outcome = set_password(&records.accounts, &named.name, &password).await;
            records.database.close().await;
            outcome?;
            println!("changed the password of {}", named.name);
        }
        AccountCommand::List(place) => {
            let records = Records::open(&Config::load(place.overrides())?).await?;
            let outcome = list(&records.accounts).await;
            records.database.close().await;
            outcome?;
        }
    }
    Ok(())
}

/// The account of this name.
///
/// # Errors
/// When there is none.
pub(super) async fn find(accounts: &Accounts, name: &str) -> Outcome<Account> {
    match accounts.admin_find(&Administrator::operator(), name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::new(format!(
            "there is no account \"{name}\"; `hall account list` shows them"
        ))),
        found => Ok(found?),
    }
}

/// The only administrator.
///
/// # Errors
/// When there is none, or more than one.
pub(super) async fn only_administrator(accounts: &Accounts) -> Outcome<Account> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = Page {
            after: after.as_deref(),
            limit: Page::MAX_LIMIT,
        };
        let listed = accounts
            .admin_list(&Administrator::operator(), None, page)
            .await?;
        found.extend(listed.items.into_iter().filter(|account| account.admin));
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(Failure::new(
            "there is no administrator yet; `hall account add NAME --admin` makes one",
        )),
        _ => Err(Failure::new(
            "there are several administrators; say which with --account NAME",
        )),
    }
}

async fn set_locked(named: Named, locked: bool) -> Outcome {
    let records = Records::open(&Config::load(named.place.overrides())?).await?;
    let update = AccountUpdate {
        locked: Some(locked),
        ..AccountUpdate::default()
    };
    let outcome = async {
        let account = find(&records.accounts, &named.name).await?;
        Ok(records
            .accounts
            .admin_update(&Administrator::operator(), &account.id, update)
            .await?)
    };
    let outcome: Outcome<Account> = outcome.await;
    records.database.close().await;
    println!(
        "{} {}",
        if locked { "locked" } else { "unlocked" },
        outcome?.username
    );
    Ok(())
}

async fn set_password(accounts: &Accounts, name: &str, password: &str) -> Outcome {
    let account = find(accounts, name).await?;
    let operator = Administrator::operator();
    Ok(accounts
        .admin_set_password(&operator, &account.id, password, NextSignIn::Keeps)
        .await?)
}

async fn list(accounts: &Accounts) -> Outcome {
    let mut after: Option<String> = None;
    println!("{:<28}{:<30}{:<8}{:<8}email", "username", "id", "admin", "locked");
    loop {
        let page = Page {
            after: after.as_deref(),
            limit: Page::MAX_LIMIT,
        };
        let listed = accounts
            .admin_list(&Administrator::operator(), None, page)
            .await?;
        for account in listed.items {
            let mark = |is: bool| if is { "yes" } else { "" };
            let email = account
                .email
                .as_ref()
                .map(|email| email.as_str())
                .unwrap_or_default();
            let name = account.username.as_str();
            println!(
                "{name:<28}{:<30}{:<8}{:<8}{email}",
                account.id.as_str(),
                mark(account.admin),
                mark(account.locked)
            );
        }
        after = listed.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// One line of standard input, spaces kept, its end left out.
fn read_password() -> Outcome<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("password (it will show):");
    }
    let mut line = String::new();
    let read = input.lock().take(MAX_LINE_BYTES).read_line(&mut line);
    read.map_err(|error| Failure::new(format!("the password can't be read from standard input: {error}")))?;
    Ok(without_line_end(line))
}

fn without_line_end(mut line: String) -> String {
    if line.ends_with('\n') {
        line.pop();
        if line.ends_with('\r') {
            line.pop();
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_keeps_its_spaces_but_not_the_line_s_end() {
        for (line, password) in [
            (" a b \n", " a b "),
            ("x\r\n", "x"),
            ("x", "x"),
            ("x\n\n", "x\n"),
            ("\r", "\r"),
        ] {
            assert_eq!(without_line_end(line.into()), password);
        }
    }
}
