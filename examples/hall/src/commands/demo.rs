//! `hall demo`: content to look at, without a browser.

use campusdisk_accounts::Account;

use super::{account, with_disk};
use crate::cli::DemoArgs;
use crate::config::Config;
use crate::demo::{Demo, Made};
use crate::failure::Outcome;
use crate::parts::Records;
use crate::site::{Language, Site};

/// Makes the demonstration and says where it is.
///
/// # Errors
/// Why it was not made, or not all of it; then the next run makes the rest.
pub(crate) async fn run(args: DemoArgs) -> Outcome {
    let config = Config::load(args.place.overrides())?;
    let records = Records::open(&config).await?;
    let outcome = fill(&config, &records, args.account.as_deref(), args.language).await;
    records.database.close().await;
    let (account, made) = outcome?;
    match made.now {
        true => println!("made the demonstration in the drive of {}", account.username),
        false => println!("the demonstration is there already"),
    }
    Ok(())
}

async fn fill(
    config: &Config,
    records: &Records,
    name: Option<&str>,
    language: Option<Language>,
) -> Outcome<(Account, Made)> {
    let account = match name {
        Some(name) => account::find(&records.accounts, name).await?,
        None => account::only_administrator(&records.accounts).await?,
    };
    let site = Site::open(records.catalog.clone(), config).await?;
    let language = language.or(site.face().language).unwrap_or(Language::English);
    let made = with_disk(config, records, async |disk| {
        let demo = Demo::new(disk.clone(), records.accounts.clone(), records.catalog.clone());
        Ok(demo.fill(&account.id, language).await?)
    });
    let made = made.await?;
    Ok((account, made))
}
