//! The command line.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use campusdisk_core::{DriveId, NodeId};
use clap::{Args, Parser, Subcommand};

use crate::config::Overrides;
use crate::site::Language;

/// A complete hall-of-services server.
#[derive(Debug, Parser)]
#[command(name = "hall", version, about, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

impl Cli {
    /// What to do; to serve when nothing is said.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// What the hall can be told to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves until SIGTERM or SIGINT.
    Serve(ServeArgs),
    /// Makes and manages accounts, also while the hall runs.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Makes app tokens, also while the hall runs.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Fills an administrator's drive with content to look at, also while the hall runs.
    Demo(DemoArgs),
    /// Reads the configuration and reaches every part it names.
    CheckConfig(Place),
    /// Compares what the database says with what the stores hold.
    Check(Place),
    /// Shows what the stores hold, moves it and reads it against its hashes, also while the hall runs.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Reads files, and all files below folders, from HDFS or S3 into the cache on Redis ahead of need, also while the hall runs.
    Prewarm(PrewarmArgs),
    /// Shows what others keep in the mounts, and publishes it in place, also while the hall runs.
    #[command(subcommand)]
    Mount(MountCommand),
}

/// Where the configuration and the data are.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Place {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Place {
    pub(crate) fn overrides(self) -> Overrides {
        Overrides {
            file: self.config,
            data: self.data,
            listen: None,
        }
    }
}

/// How to serve.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// The address to listen on, such as 127.0.0.1:8080; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

impl ServeArgs {
    pub(crate) fn overrides(self) -> Overrides {
        Overrides {
            listen: self.listen,
            ..self.place.overrides()
        }
    }
}

/// What to read ahead of need.
#[derive(Debug, Args)]
pub(crate) struct PrewarmArgs {
    /// Files and folders, by their ids.
    #[arg(required = true, value_name = "NODE")]
    pub(crate) nodes: Vec<NodeId>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Makes an account; the password is one line of standard input.
    Add {
        /// The user name.
        name: String,
        /// Lets it administer the hall.
        #[arg(long)]
        admin: bool,
        /// The mail address.
        #[arg(long, value_name = "E")]
        email: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Shuts an account out: its sessions, tokens and running transfers end within a second.
    Lock(Named),
    /// Lets an account in again.
    Unlock(Named),
    /// Sets an account's password, one line of standard input; its sessions end.
    Passwd(Named),
    /// Lists all accounts.
    List(Place),
}

/// An account by its user name.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The user name.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What can be done with app tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token and prints it, only this once.
    Add(TokenAdd),
}

/// The token that is wanted.
#[derive(Debug, Args)]
pub(crate) struct TokenAdd {
    /// Whose token it is, by user name.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: String,
    /// What it is for.
    #[arg(long, value_name = "LABEL", default_value = "command line")]
    pub(crate) name: String,
    /// What it may do: read, write, share, account, admin, with commas between them. All that the account may, unless set.
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', num_args = 1..)]
    pub(crate) scopes: Vec<String>,
    /// When it ends: a time such as 2027-01-31T00:00:00Z, or a while such as 12h or 30d. When it is revoked, unless set.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What the demonstration is to be.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Whose drive is filled, by user name; the only administrator's, unless set.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Its language, zh-CN or en; the hall's own, unless set.
    #[arg(long, value_name = "TAG", value_parser = language)]
    pub(crate) language: Option<Language>,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn language(tag: &str) -> Result<Language, &'static str> {
    Language::parse(tag).ok_or("there are zh-CN and en")
}

/// What can be done with stores.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Shows what lies in each store.
    List(Place),
    /// Moves files from one store to another; people go on reading and writing. Begun again, it goes on where it was.
    Migrate(MigrateArgs),
    /// Reads every file and compares its bytes with their hash.
    Verify(VerifyArgs),
}

/// What is to be moved where.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// The store the files lie in.
    #[arg(long, value_name = "STORE")]
    pub(crate) from: String,
    /// The store they are moved to.
    #[arg(long, value_name = "STORE")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// Only says how much there is to move.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What is to be verified.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The store; every one, unless set.
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) job: JobArgs,
}

/// How a job over a store is done.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// Only files of this drive, by its id.
    #[arg(long, value_name = "ID")]
    pub(crate) drive: Option<DriveId>,
    /// Reads no more than so many bytes in a second.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes_per_second: Option<NonZeroU64>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What can be done with mounts.
#[derive(Debug, Subcommand)]
pub(crate) enum MountCommand {
    /// Shows what each mount is and how much of it is published, or the objects of one.
    List(MountList),
    /// Makes objects of a mount files of a drive, in place: no byte is copied. Run again, it brings what is new or was changed.
    Publish(PublishArgs),
}

/// What is to be listed.
#[derive(Debug, Args)]
pub(crate) struct MountList {
    /// The mount whose objects are listed.
    pub(crate) mount: Option<String>,
    /// Only those below this folder of it.
    #[arg(long, value_name = "FOLDER", requires = "mount")]
    pub(crate) under: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What is to be published where.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// The mount the objects lie in.
    pub(crate) mount: String,
    /// The drive they become files of, by its id.
    #[arg(long, value_name = "ID")]
    pub(crate) drive: DriveId,
    /// Who publishes, by user name; the only administrator, unless set.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Only objects below this folder of the mount; folders below it become folders of the drive.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) under: Option<String>,
    /// The folder of the drive they go to, such as "2026/autumn"; made when it is missing. The drive's root, unless set.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: Option<String>,
    /// Also objects with a name, or in a folder with a name, that begins with a dot or an underscore. Spark and Hadoop name what is no
    /// result so.
    #[arg(long)]
    pub(crate) hidden: bool,
    /// Only says what there is to publish.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn without_a_word_it_serves() {
        assert!(matches!(Cli::parse_from(["hall"]).command(), Command::Serve(_)));
        let Command::Serve(args) =
            Cli::parse_from(["hall", "serve", "--listen", "127.0.0.1:0", "--data", "d"]).command()
        else {
            panic!("serve serves")
        };
        assert_eq!(
            (args.listen.unwrap().port(), args.place.data),
            (0, Some("d".into()))
        );
    }
}
