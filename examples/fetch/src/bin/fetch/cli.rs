//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use fetch::{Error, Existing, Options, Output, Result};

/// Downloads files over several connections, and goes on where an earlier run stopped.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Exit codes: 0 all files are there, 1 the server or the network failed, 2 wrong usage, 3 the SHA-256 is another,
4 a local file (also: one of that name is there), 130 stopped by Ctrl-C. With several, that of the first failure.

What came is kept in NAME.part with NAME.part.json; the same command goes on from there. The final name of each
file goes to standard output, everything else to standard error."
)]
pub(crate) struct Cli {
    /// What to download.
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// The file to write, or the folder to put files into under their own names.
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// At most so many connections; how many there are depends on what they bring.
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
    /// With how many connections it begins.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    start: u8,
    /// A token for the server (`Authorization: Bearer`); never sent to another origin. Better by the environment,
    /// where other users of this machine don't see it.
    #[arg(long, env = "FETCH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A header to send, such as 'Cookie: a=b'; never sent to another origin.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The SHA-256 that the file must have, in hex.
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    sha256: Option<[u8; 32]>,
    /// Replace a file of the final name.
    #[arg(long)]
    force: bool,
    /// Tell nothing but errors, and the final names.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// How long a connection may take to open.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    connect_timeout: Duration,
    /// How long a connection may go without a byte.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    idle_timeout: Duration,
    /// After so many tries in a row without a byte it gives up.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
}

impl Cli {
    /// Where files go.
    pub(crate) fn output(&self) -> Result<Output> {
        let Some(path) = &self.output else {
            return Ok(Output::Folder(PathBuf::new()));
        };
        if path.is_dir() {
            return Ok(Output::Folder(path.clone()));
        }
        if self.urls.len() > 1 || path.as_os_str().to_string_lossy().ends_with('/') {
            return Err(Error::Asked(format!("--output {} is no folder", path.display())));
        }
        Ok(Output::File(path.clone()))
    }

    pub(crate) fn options(&self) -> Result<Options> {
        let mut options = Options::default()
            .with_connections(self.connections.into())
            .with_first_connections(self.start.into())
            .with_connect_timeout(self.connect_timeout)
            .with_idle_timeout(self.idle_timeout)
            .with_tries(self.tries);
        if let Some(token) = &self.token {
            options = options.with_token(token)?;
        }
        for header in &self.headers {
            // Not repeated in the message: it may be a secret.
            let pair = header.split_once(':');
            let (name, value) =
                pair.ok_or_else(|| Error::Asked("--header takes 'NAME: VALUE'".to_owned()))?;
            options = options.with_header(name.trim(), value.trim())?;
        }
        if let Some(sha256) = self.sha256 {
            if self.urls.len() > 1 {
                return Err(Error::Asked("--sha256 is for one URL".to_owned()));
            }
            options = options.with_sha256(sha256);
        }
        if self.force {
            options = options.with_existing(Existing::Replace);
        }
        Ok(options)
    }
}

fn sha256(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "a SHA-256 has 64 digits of hex".to_owned();
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(2 * at..2 * at + 2).unwrap_or_default();
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = u8::from_str_radix(digits, 16)
            .ok()
            .filter(|_| is_hex)
            .ok_or_else(wrong)?;
    }
    Ok(bytes)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "a number of seconds is needed".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        return Err("more than 0 s are needed".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_sha256_is_64_digits_of_hex() {
        assert_eq!(sha256(&"0aF".repeat(22)[..64]).unwrap()[..3], [0x0a, 0xf0, 0xaf]);
        for wrong in ["", "00", &"+0".repeat(32), &"é".repeat(32), &"g0".repeat(32)] {
            assert!(sha256(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_numbers_of_seconds_above_zero() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "NaN", "inf", "1m"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
