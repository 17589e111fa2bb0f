//! A stretch of network between a client and PostgreSQL that breaks when told.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to a commit on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The connection breaks before the server hears of it.
    Before,
    /// The server hears of it, and the connection breaks at the same moment.
    During,
    /// The connection breaks after the server answered, and before the client hears of that.
    After,
    /// The server hears of it, and then nothing goes through any more, while the connection seems to stand.
    Silence,
}

/// Passes everything on, but for the commits that are to be cut: `COMMIT`, or a statement that is a whole set.
#[derive(Debug)]
pub struct Between {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    next: Mutex<VecDeque<Cut>>,
    cuts: AtomicU32,
    begun: AtomicU32,
    whole: AtomicU32,
    refuses: AtomicBool,
    refused: AtomicU32,
}

impl Between {
    /// Begins to pass on to the server at this port of the loopback address.
    pub async fn start(to: u16) -> Self {
        let state = Arc::new(State::default());
        let own = Arc::clone(&state);
        let (port, task) = listen(move |client| {
            let state = Arc::clone(&own);
            async move {
                if state.refuses.load(Ordering::SeqCst) {
                    state.refused.fetch_add(1, Ordering::SeqCst);
                    return Ok(());
                }
                pass_on(client, to, &state).await
            }
        })
        .await;
        Self { port, state, task }
    }

    /// Where clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the next commit, or the next one after those that are to be cut already.
    pub fn cut_next(&self, cut: Cut) {
        self.state.queue().push_back(cut);
    }

    /// Breaks every connection that is made from now on, as if the server were not there, or takes them again.
    pub fn refuse(&self, refuses: bool) {
        self.state.refuses.store(refuses, Ordering::SeqCst);
    }

    /// How many connections were refused.
    pub fn refused(&self) -> u32 {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// How many commits were cut.
    pub fn cuts(&self) -> u32 {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// How many transactions were begun by a statement of their own.
    pub fn begun(&self) -> u32 {
        self.state.begun.load(Ordering::SeqCst)
    }

    /// How many sets were sent as one statement each, which commits itself.
    pub fn whole(&self) -> u32 {
        self.state.whole.load(Ordering::SeqCst)
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Cut>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to happen to these bytes of a client, which sends whole messages and waits for the answer. `whole` are the names of
    /// the prepared statements that are a whole set.
    fn cut_of(&self, bytes: &[u8], whole: &mut HashSet<Vec<u8>>) -> Option<Cut> {
        let mut commits = false;
        for (kind, body) in messages(bytes) {
            let mut texts = body.split(|byte| *byte == 0);
            let (first, second) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
            match kind {
                b'Q' => {
                    commits |= first == b"COMMIT";
                    self.begun
                        .fetch_add(u32::from(first == b"BEGIN"), Ordering::SeqCst);
                }
                // Parse: the name to be, and the text, which fails unless all of the set is met.
                b'P' if String::from_utf8_lossy(second).contains(" SELECT 1 / CASE ") => {
                    whole.insert(first.to_owned());
                }
                // Bind: where to, and the name.
                b'B' if whole.contains(second) => {
                    commits = true;
                    self.whole.fetch_add(1, Ordering::SeqCst);
                }
                _ => {}
            }
        }
        if !commits {
            return None;
        }
        let cut = self.queue().pop_front();
        self.cuts.fetch_add(u32::from(cut.is_some()), Ordering::SeqCst);
        cut
    }
}

/// The letter and the body of each message. The first of a connection has no letter, and is passed over.
fn messages(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&kind, after) = rest.split_first()?;
        let len = u32::from_be_bytes(*after.first_chunk()?) as usize;
        let body = after.get(4..len)?;
        rest = after.get(len..)?;
        Some((kind, body))
    })
}

/// Takes connections on a free port of the loopback address, each on a task of its own, until the listening task is aborted.
pub(crate) async fn listen<F>(pass_on: impl Fn(TcpStream) -> F + Send + 'static) -> (u16, JoinHandle<()>)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let task = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // How a connection ends is what the client is tested with.
            tokio::spawn(pass_on(client));
        }
    });
    (port, task)
}

async fn pass_on(mut client: TcpStream, to: u16, state: &State) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut whole = HashSet::new();
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let bytes = &up[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                let cut = state.cut_of(bytes, &mut whole);
                if cut != Some(Cut::Before) {
                    server.write_all(bytes).await?;
                }
                match cut {
                    None => {}
                    Some(Cut::Before | Cut::During) => return Ok(()),
                    Some(Cut::After) => return server.read(&mut down).await.map(drop),
                    // Until the client gives up.
                    Some(Cut::Silence) => return client.read(&mut up).await.map(drop),
                }
            }
            read = server.read(&mut down) => {
                let bytes = &down[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}
