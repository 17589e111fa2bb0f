//! People of the demonstration. Nobody knows their passwords.

use campusdisk_accounts::{
    AccountUpdate, Accounts, Administrator, DisplayName, NewAccount, ProfileUpdate, Registrant,
};
use campusdisk_core::{ErrorKind, IdSource as _, RandomIds, Result};

/// Somebody in the list of people.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) username: &'static str,
    pub(super) display_name: &'static str,
    pub(super) locked: bool,
}

/// Makes those who are missing; those who are there stay as they are.
pub(super) async fn make(accounts: &Accounts, people: &[Person]) -> Result<()> {
    for person in people {
        match accounts
            .admin_find(&Administrator::operator(), person.username)
            .await
        {
            Err(error) if error.kind() == ErrorKind::NotFound => make_one(accounts, person).await?,
            found => drop(found?),
        }
    }
    Ok(())
}

async fn make_one(accounts: &Accounts, person: &Person) -> Result<()> {
    let operator = Administrator::operator();
    // An administrator who wants to sign in as one of them resets the password.
    let password = format!("{:032x}{:032x}", RandomIds.random(), RandomIds.random());
    let registrant = Registrant {
        username: person.username,
        password: &password,
        email: None,
    };
    let new = NewAccount {
        registrant,
        admin: false,
    };
    let account = accounts.create(&operator, new).await?;
    let profile = ProfileUpdate {
        display_name: Some(DisplayName::parse(person.display_name)?),
        ..ProfileUpdate::default()
    };
    accounts.update_profile(&account.id, profile).await?;
    if person.locked {
        let lock = AccountUpdate {
            locked: Some(true),
            ..AccountUpdate::default()
        };
        accounts.admin_update(&operator, &account.id, lock).await?;
    }
    Ok(())
}
