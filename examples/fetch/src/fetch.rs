//! One download from its address to its final name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use reqwest::{Response, Url};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::digest::{follow, hex};
use crate::error::{Error, Result, Trouble};
use crate::event::{Event, Watch};
use crate::first::{self, Way};
use crate::headers::Validator;
use crate::options::Options;
use crate::parallel::{self, Beginning};
use crate::part::{Part, State};
use crate::patience::Patience;
use crate::spans::bytes_of;
use crate::task::{Stop, blocking, ended};
use crate::whole;

/// A file that changes under the download more often than this can't be had.
const NEW_BEGINNINGS_LIMIT: u32 = 5;

/// Where the file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Into this folder, under the name that the server or else the address gives it, made safe.
    Folder(PathBuf),
    /// Under exactly this name.
    File(PathBuf),
}

/// Who said what the SHA-256 of the whole has to be; it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// Nobody: only the length was checked.
    Length,
    /// The server, by `Repr-Digest` (RFC 9530).
    Server,
    /// The caller, by [`Options::with_sha256`].
    Caller,
}

/// A file that is there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// Its final name.
    pub path: PathBuf,
    /// Its size.
    pub size_bytes: u64,
    /// What of it an earlier run had left.
    pub resumed_bytes: u64,
    /// How it was checked.
    pub check: Check,
}

/// A download.
#[derive(Debug)]
pub struct Fetch {
    client: Arc<Client>,
    output: Output,
    options: Options,
}

/// One beginning of it.
struct Run<'a> {
    fetch: &'a Fetch,
    watch: &'a Arc<dyn Watch>,
    stop: Stop,
    /// Opened once, and so locked until the end.
    part: Option<(PathBuf, Arc<Part>)>,
    /// Whether what is saved is known to be of no use.
    anew: bool,
}

impl Fetch {
    /// A download of an address; nothing is done yet.
    ///
    /// # Errors
    /// [`Error::Asked`] when it is no address of http or https.
    pub fn new(url: &str, output: Output, options: Options) -> Result<Self> {
        let parsed =
            Url::parse(url).map_err(|error| Error::Asked(format!("{url} is no address: {error}")))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(Error::Asked(format!("{url} is no address of http or https")));
        }
        Ok(Self {
            client: Arc::new(Client::new(parsed, &options)?),
            output,
            options,
        })
    }

    /// Downloads, going on where an earlier run stopped, and tells `watch` what happens, until the file is under its
    /// final name or `stop` comes.
    ///
    /// # Errors
    /// As said at [`Error`]. There is nothing new under the final name then; what came is left beside it for another run,
    /// where the server can resume.
    ///
    /// # Cancel safety
    /// Dropping the future loses what came in the last second or so, as a kill of the process does; `stop` loses nothing.
    pub async fn run(&self, watch: &Arc<dyn Watch>, stop: impl Future<Output = ()>) -> Result<Fetched> {
        let (sender, receiver) = Stop::new();
        let mut run = Run {
            fetch: self,
            watch,
            stop: receiver,
            part: None,
            anew: false,
        };
        let outcome = {
            let mut work = std::pin::pin!(run.until_done());
            tokio::select! {
                outcome = &mut work => outcome,
                () = stop => {
                    sender.send_replace(true);
                    work.await
                }
            }
        };
        if let (Err(error), Some((_, part))) = (&outcome, run.part)
            && !matches!(error, Error::Mismatch { .. } | Error::Exists(_))
        {
            // A partial file nobody can go on with would only take room.
            let discarded = blocking(move || part.saved().map_or_else(|| part.discard(), |_| Ok(())));
            // The first error is the one that counts.
            let _ = discarded.await;
        }
        outcome
    }
}

impl Run<'_> {
    async fn until_done(&mut self) -> Result<Fetched> {
        let started = Instant::now();
        let mut patience = Patience::new(self.fetch.options.tries);
        let mut beginnings = 0;
        loop {
            let why = match self.once().await {
                Ok(fetched) => return Ok(fetched),
                Err(Trouble::Fatal(error)) => return Err(error),
                Err(Trouble::Changed(why)) if beginnings == NEW_BEGINNINGS_LIMIT => {
                    let (url, times) = (self.fetch.client.shown(), beginnings);
                    return Err(Error::Changes { url, why, times });
                }
                Err(Trouble::Changed(why)) => {
                    beginnings += 1;
                    self.anew = true;
                    self.watch.happened(Event::Again { why });
                    continue;
                }
                Err(Trouble::Passing(passing)) => passing,
            };
            // What came is of no use where the way has no spans, so it is no progress.
            let verdict = patience.failed(0, why.retry_after, rand::random(), started.elapsed());
            let wait = self.fetch.client.judge(verdict, &why.why)?;
            self.watch.happened(Event::Waits { why: why.why, wait });
            tokio::select! {
                () = self.stop.come() => return Err(Error::Stopped),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn once(&mut self) -> Result<Fetched, Trouble> {
        let client = Arc::clone(&self.fetch.client);
        let first = tokio::select! {
            () = self.stop.come() => return Err(Error::Stopped.into()),
            first = first::ask(&client) => first?,
        };
        let target = match &self.fetch.output {
            Output::Folder(folder) => folder.join(&first.name),
            Output::File(path) => path.clone(),
        };
        let part = self.part(&target).await?;
        let expected = match self.fetch.options.sha256 {
            Some(sha256) => Some((sha256, Check::Caller)),
            None => first.sha256.map(|sha256| (sha256, Check::Server)),
        };
        let (written, whole_bytes) = watch::channel(0);
        let mut hash = JoinSet::new();
        if expected.is_some() {
            hash.spawn(follow(Arc::clone(part.file()), whole_bytes));
        }
        let name = target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let (size_bytes, resumed_bytes) = match first.way {
            Way::Spans { size, validator } => self.by_spans(&part, name, size, validator, written).await?,
            Way::Whole { answer, because } => (self.whole(&part, name, answer, because, written).await?, 0),
        };
        self.watch.happened(Event::Finishing);
        let check = self.checked(&part, expected, hash).await?;
        let existing = self.fetch.options.existing;
        Ok(Fetched {
            path: blocking(move || part.finish(existing)).await?,
            size_bytes,
            resumed_bytes,
            check,
        })
    }

    async fn part(&mut self, target: &Path) -> Result<Arc<Part>> {
        if let Some((path, part)) = &self.part
            && path == target
        {
            return Ok(Arc::clone(part));
        }
        let (existing, path) = (self.fetch.options.existing, target.to_path_buf());
        let part = Arc::new(blocking(move || Part::open(&path, existing)).await?);
        self.part = Some((target.to_path_buf(), Arc::clone(&part)));
        Ok(part)
    }

    /// Returns the size and how much of it was there before.
    async fn by_spans(
        &mut self,
        part: &Arc<Part>,
        name: String,
        size: u64,
        validator: Validator,
        whole_bytes: watch::Sender<u64>,
    ) -> Result<(u64, u64), Trouble> {
        let client = Arc::clone(&self.fetch.client);
        let mut state = State::new(without_user(client.url()), &validator, size);
        let of_earlier = Arc::clone(part);
        let saved = blocking(move || Ok(of_earlier.saved()))
            .await?
            .filter(|_| !self.anew);
        match saved {
            Some(saved) if saved.is_of_same(&state) => state = saved,
            saved => {
                if saved.is_some() {
                    let why = "what an earlier run left is of another file, or of an older one".to_owned();
                    self.watch.happened(Event::Again { why });
                }
                let part = Arc::clone(part);
                blocking(move || part.begin(size)).await?;
            }
        }
        // From here on what is saved is of this beginning.
        self.anew = false;
        let resumed_bytes = bytes_of(&state.done);
        self.watch.happened(Event::Found {
            name,
            size_bytes: Some(size),
            resumed_bytes,
            alone_because: None,
        });
        let beginning = Beginning {
            client,
            part: Arc::clone(part),
            validator,
            state,
            watch: Arc::clone(self.watch),
            whole_bytes,
        };
        parallel::run(beginning, &self.fetch.options, &self.stop).await?;
        Ok((size, resumed_bytes))
    }

    /// Returns the size.
    async fn whole(
        &mut self,
        part: &Arc<Part>,
        name: String,
        answer: Response,
        because: String,
        whole_bytes: watch::Sender<u64>,
    ) -> Result<u64, Trouble> {
        self.watch.happened(Event::Found {
            name,
            size_bytes: answer.content_length(),
            resumed_bytes: 0,
            alone_because: Some(because),
        });
        let begun = Arc::clone(part);
        blocking(move || begun.begin(0)).await?;
        whole::run(
            &self.fetch.client,
            part,
            answer,
            self.watch,
            whole_bytes,
            &self.stop,
        )
        .await
    }

    /// Compares the hash with what it should be.
    async fn checked(
        &self,
        part: &Arc<Part>,
        expected: Option<([u8; 32], Check)>,
        mut hash: JoinSet<std::io::Result<[u8; 32]>>,
    ) -> Result<Check> {
        let Some((expected, check)) = expected else {
            return Ok(Check::Length);
        };
        let found = tokio::select! {
            () = self.stop.come() => return Err(Error::Stopped),
            found = hash.join_next() => found,
        };
        let found = found.ok_or(Error::Stopped)?.map_err(ended)?;
        let found = found.map_err(|error| Error::file("read", part.path(), error))?;
        if found == expected {
            return Ok(check);
        }
        let wrong = Arc::clone(part);
        blocking(move || wrong.distrust()).await?;
        Err(Error::Mismatch {
            found: hex(found),
            expected: hex(expected),
            said_by: if check == Check::Caller {
                "the caller"
            } else {
                "the server"
            },
            part: part.path().to_path_buf(),
        })
    }
}

/// The address as it is written down: without user and password.
fn without_user(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for addresses that can't have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}
