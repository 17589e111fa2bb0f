//! Clients that take little at a time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::client;
use crate::net;

/// What is taken at once.
const SIP_BYTES: usize = 16 << 10;

/// How long after one the next one comes: what is measured is how many can be served, not how many can arrive at once.
const ARRIVAL: Duration = Duration::from_millis(5);

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
            let readers: Vec<_> = (0..self.count)
                .map(|_| {
                    thread::sleep(ARRIVAL);
                    scope.spawn(|| {
                        let outcome = self.read(host, &request, &signals);
                        if outcome.is_err() {
                            signals.over.store(true, Ordering::Relaxed);
                        }
                        outcome
                    })
                })
                .collect();
            let all_read = net::wait_until("every slow reader", LIMIT, || {
                let reading = signals.reading.load(Ordering::Relaxed);
                Ok(reading == self.count || signals.over.load(Ordering::Relaxed))
            });
            let worked = all_read.and_then(|()| work());
            signals.over.store(true, Ordering::Relaxed);
            let ended = readers.into_iter().map(|reader| {
                let outcome = reader.join();
                outcome.unwrap_or_else(|_| Err(anyhow!("the thread of a reader panicked")))
            });
            ended.collect::<Result<()>>()?;
            worked
        })
    }

    fn read(self, host: &str, request: &str, signals: &Signals) -> Result<()> {
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(request.as_bytes())?;
        let mut sip = [0; SIP_BYTES];
        let (started, mut taken) = (Instant::now(), 0_u32);
        let due = |taken: u32| Duration::from_secs_f64(f64::from(taken) / f64::from(self.rate_bytes));
        loop {
            let got = stream
                .read(&mut sip)
                .with_context(|| format!("a slow reader of {host} after {taken} bytes"))?;
            let begins_well = taken > 0 || sip.starts_with(b"HTTP/1.1 200");
            ensure!(
                got > 0 && begins_well,
                "a slow reader of {host}: {}",
                String::from_utf8_lossy(&sip[..got])
            );
            if taken == 0 {
                signals.reading.fetch_add(1, Ordering::Relaxed);
            }
            taken += u32::try_from(got)?;
            if signals.over.load(Ordering::Relaxed) {
                break;
            }
            // To be slow is what it is for.
            thread::sleep(due(taken).saturating_sub(started.elapsed()));
        }
        let (elapsed, due) = (started.elapsed(), due(taken));
        ensure!(
            elapsed < due * 2 + Duration::from_secs(1),
            "a slow reader had after {elapsed:?} what it should have had after {due:?}"
        );
        Ok(())
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
