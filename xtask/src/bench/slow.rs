//! Clients that take little at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::client;
use crate::net;

/// What is taken at once.
const SIP_BYTES: usize = 16 << 10;

/// How long after one the next one comes: what is measured is how many can be served, not how many can arrive at once.
const ARRIVAL: Duration = Duration::from_millis(5);

/// How long after one that finds nothing there the next look is.
const RETRY: Duration = Duration::from_millis(20);

/// How long one may wait for bytes, and all of them for their first.
const LIMIT: Duration = Duration::from_secs(30);

/// So many readers take so many bytes a second each.
#[derive(Clone, Copy)]
pub(crate) struct Readers {
    pub(crate) count: usize,
    pub(crate) rate_bytes: u32,
}

/// What readers and whoever waits for them tell each other.
#[derive(Default)]
struct Signals {
    /// How many have bytes.
    reading: AtomicUsize,
    /// Whether they are to go away.
    over: AtomicBool,
}

impl Readers {
    /// Runs `work` while each GETs `url`: begins when all have bytes, and lets them go away in the middle afterwards.
    ///
    /// # Errors
    /// Those of `work`; when a reader is answered anything but 200, or gets its bytes at less than half its rate.
    pub(crate) fn during<T>(
        self,
        url: &str,
        authorization: Option<&str>,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        allow_open_files();
        let (host, path) = client::parts(url)?;
        let authorization =
            authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n");
        let signals = Signals::default();
        thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let outcome = self.read(host, &request, &signals);
                signals.over.store(true, Ordering::Relaxed);
                outcome
            });
            let all_read = net::wait_until("every slow reader", LIMIT, || {
                let reading = signals.reading.load(Ordering::Relaxed);
                Ok(reading == self.count || signals.over.load(Ordering::Relaxed))
            });
            let worked = all_read.and_then(|()| work());
            signals.over.store(true, Ordering::Relaxed);
            let read = reading.join();
            read.unwrap_or_else(|_| Err(anyhow!("the thread of the readers panicked")))?;
            worked
        })
    }

    /// All of them on one thread: a thread for each would take from what is measured the processors that it runs on.
    fn read(self, host: &str, request: &str, signals: &Signals) -> Result<()> {
        let mut readers: Vec<Reader> = Vec::with_capacity(self.count);
        let mut due = BinaryHeap::from([Reverse((Instant::now(), 0))]);
        while let Some(Reverse((at, number))) = due.pop() {
            // To be slow is what they are for.
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if signals.over.load(Ordering::Relaxed) {
                break;
            }
            if number == readers.len() {
                readers.push(Reader::ask(host, request)?);
                if readers.len() < self.count {
                    due.push(Reverse((at + ARRIVAL, readers.len())));
                }
            }
            let reader = readers.get_mut(number).context("it has come")?;
            let is_first = reader.taken == 0;
            let sipped = reader.sip().with_context(|| format!("a slow reader of {host}"))?;
            if sipped && is_first {
                signals.reading.fetch_add(1, Ordering::Relaxed);
            }
            let next = match sipped {
                true => reader.begun + self.due(reader.taken),
                false => Instant::now() + RETRY,
            };
            due.push(Reverse((next, number)));
        }
        for reader in readers {
            let (elapsed, due) = (reader.begun.elapsed(), self.due(reader.taken));
            ensure!(
                elapsed < due * 2 + Duration::from_secs(1),
                "a slow reader had after {elapsed:?} what it should have had after {due:?}"
            );
        }
        Ok(())
    }

    /// After how long so many bytes should have been taken.
    fn due(self, taken: u32) -> Duration {
        Duration::from_secs_f64(f64::from(taken) / f64::from(self.rate_bytes))
    }
}

/// One of them.
struct Reader {
    stream: TcpStream,
    begun: Instant,
    taken: u32,
    /// When it had bytes last.
    fed: Instant,
}

impl Reader {
    fn ask(host: &str, request: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(host)?;
        stream.write_all(request.as_bytes())?;
        stream.set_nonblocking(true)?;
        let begun = Instant::now();
        Ok(Self {
            stream,
            begun,
            taken: 0,
            fed: begun,
        })
    }

    /// Takes a little, if anything is there, and says whether.
    fn sip(&mut self) -> Result<bool> {
        let mut sip = [0; SIP_BYTES];
        let got = match self.stream.read(&mut sip) {
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let taken = self.taken;
                ensure!(self.fed.elapsed() < LIMIT, "nothing comes after {taken} bytes");
                return Ok(false);
            }
            Err(error) => bail!("after {} bytes: {error}", self.taken),
        };
        let begins_well = self.taken > 0 || sip.starts_with(b"HTTP/1.1 200");
        ensure!(
            got > 0 && begins_well,
            "{}",
            String::from_utf8_lossy(sip.get(..got).unwrap_or_default())
        );
        self.taken += u32::try_from(got)?;
        self.fed = Instant::now();
        Ok(true)
    }
}

/// Takes as many open files as the system gives: each reader is one.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where that is not allowed, connecting says that there are too many.
    let _ = setrlimit(Resource::Nofile, raised);
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const READERS: Readers = Readers {
        count: 3,
        rate_bytes: 1 << 20,
    };

    /// The address of a server that answers so many requests by this head and bytes without end.
    fn serve(head: &'static str, count: usize) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming().take(count) {
                let mut client = client.unwrap();
                thread::spawn(move || {
                    client.write_all(head.as_bytes()).unwrap();
                    while client.write_all(&[b'x'; 1 << 16]).is_ok() {}
                });
            }
        });
        format!("http://{address}/file")
    }

    #[test]
    fn all_read_while_something_else_is_done() {
        let url = serve("HTTP/1.1 200 OK\r\n\r\n", READERS.count);
        assert_eq!(READERS.during(&url, None, || Ok(7)).unwrap(), 7);
    }

    #[test]
    fn who_is_refused_says_how() {
        let url = serve("HTTP/1.1 503 Service Unavailable\r\n\r\n", READERS.count);
        let refused = READERS.during(&url, None, || Ok(())).unwrap_err();
        assert!(format!("{refused:#}").contains("503"), "{refused:#}");
    }
}
