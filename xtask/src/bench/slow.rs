//! Clients that take little at a time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

/// What is taken at once.
const SIP_BYTES: usize = 16 << 10;

/// How long after one the next one comes: what is measured is how many can be served, not how many can arrive at once.
const ARRIVAL: Duration = Duration::from_millis(10);

/// So many readers take so many bytes a second each, for so many seconds.
#[derive(Clone, Copy)]
pub(crate) struct Readers {
    pub(crate) count: usize,
    pub(crate) rate_bytes: u32,
    pub(crate) seconds: u32,
}

impl Readers {
    /// Lets each GET `url`, and go away in the middle.
    ///
    /// # Errors
    /// When one is answered anything but 200, or does not get its bytes in time.
    pub(crate) fn get(self, url: &str, authorization: Option<&str>) -> Result<()> {
        let address = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
        let (host, path) = address.with_context(|| format!("{url} has no path"))?;
        let authorization =
            authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n");
        thread::scope(|scope| {
            let readers: Vec<_> = (0..self.count)
                .map(|_| {
                    thread::sleep(ARRIVAL);
                    scope.spawn(|| self.read(host, &request))
                })
                .collect();
            let ended = readers.into_iter().map(|reader| {
                let outcome = reader.join();
                outcome.unwrap_or_else(|_| Err(anyhow!("the thread of a reader panicked")))
            });
            ended.collect::<Result<()>>()
        })
    }

    fn read(self, host: &str, request: &str) -> Result<()> {
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(self.seconds.into())))?;
        stream.write_all(request.as_bytes())?;
        let mut sip = [0; SIP_BYTES];
        let (started, total) = (Instant::now(), self.rate_bytes * self.seconds);
        let mut taken = 0;
        while taken < total {
            let got = stream.read(&mut sip)?;
            let begins_well = taken > 0 || sip.starts_with(b"HTTP/1.1 200");
            ensure!(
                got > 0 && begins_well,
                "a slow reader of {host}: {}",
                String::from_utf8_lossy(&sip[..got])
            );
            taken += u32::try_from(got)?;
            let due = Duration::from_secs_f64(f64::from(taken) / f64::from(self.rate_bytes));
            // To be slow is what it is for.
            thread::sleep(due.saturating_sub(started.elapsed()));
        }
        let late = started.elapsed().as_secs_f64() / f64::from(self.seconds);
        ensure!(
            late < 2.0,
            "a slow reader took {late:.1} times as long as it should"
        );
        Ok(())
    }
}
