//! A small HTTP client whose connections are kept, and which knows when the first byte came.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

const READ_LIMIT: Duration = Duration::from_secs(30);
const BUFFER_BYTES: usize = 64 << 10;
/// More head than this is none.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// One client with a connection for each server it has asked.
pub(crate) struct Client {
    authorization: String,
    kept: HashMap<String, TcpStream>,
    buffer: Vec<u8>,
}

/// What came of a GET.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body_bytes: u64,
    /// From sending the request to the first byte of the answer.
    pub(crate) first_byte: Duration,
}

impl Client {
    pub(crate) fn new(authorization: Option<&str>) -> Self {
        Self {
            authorization: authorization
                .map_or_else(String::new, |value| format!("Authorization: {value}\r\n")),
            kept: HashMap::new(),
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    /// GETs `url` and throws the body away.
    ///
    /// # Errors
    /// When the server can't be reached, ends early, or says no `Content-Length`.
    pub(crate) fn get(&mut self, url: &str) -> Result<Answer> {
        self.try_get(url).with_context(|| format!("GET {url}"))
    }

    fn try_get(&mut self, url: &str) -> Result<Answer> {
        let (host, path) = parts(url)?;
        let mut stream = match self.kept.remove(host) {
            Some(stream) => stream,
            None => connect(host)?,
        };
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\n{}\r\n",
            self.authorization
        );
        let started = Instant::now();
        stream.write_all(request.as_bytes())?;
        let mut filled = stream.read(&mut self.buffer)?;
        let first_byte = started.elapsed();
        let head_bytes = loop {
            ensure!(filled > 0, "the server closed the connection");
            let seen = self.buffer.get(..filled).unwrap_or_default();
            if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(filled < MAX_HEAD_BYTES, "no end of the head");
            let got = stream.read(self.buffer.get_mut(filled..).unwrap_or_default())?;
            ensure!(got > 0, "the server closed the connection");
            filled += got;
        };
        let head = Head::parse(self.buffer.get(..head_bytes).unwrap_or_default())?;
        let mut left = head
            .body_bytes
            .checked_sub((filled - head_bytes) as u64)
            .context("more came than was announced")?;
        while left > 0 {
            let got = stream.read(&mut self.buffer)?;
            ensure!(got > 0, "the body ended {left} bytes early");
            left = left
                .checked_sub(got as u64)
                .context("more came than was announced")?;
        }
        if head.is_kept {
            self.kept.insert(host.to_owned(), stream);
        }
        Ok(Answer {
            status: head.status,
            location: head.location,
            body_bytes: head.body_bytes,
            first_byte,
        })
    }
}

/// Requests a second when `connections` clients GET each of `urls` once, going where they are sent; each must have `len_bytes` bytes.
///
/// # Errors
/// When one is answered otherwise.
pub(crate) fn once_each(
    urls: &[String],
    authorization: Option<&str>,
    connections: usize,
    len_bytes: u64,
) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let mut client = Client::new(authorization);
        while let Some(url) = urls.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut answer = client.get(url)?;
            if let (307, Some(place)) = (answer.status, answer.location.take()) {
                answer = client.get(&place)?;
            }
            ensure!(
                answer.status == 200 && answer.body_bytes == len_bytes,
                "GET {url}: status {}, {} bytes",
                answer.status,
                answer.body_bytes
            );
        }
        Ok(())
    };
    let started = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..connections).map(|_| scope.spawn(work)).collect();
        let ended = clients.into_iter().map(|client| {
            let outcome = client.join();
            outcome.unwrap_or_else(|_| Err(anyhow!("the thread of a client panicked")))
        });
        ended.collect::<Result<()>>()
    })?;
    Ok(urls.len() as f64 / started.elapsed().as_secs_f64())
}

/// Host with port, and the path without its first slash.
pub(crate) fn parts(url: &str) -> Result<(&str, &str)> {
    let address = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    address.with_context(|| format!("{url} has no path"))
}

fn connect(host: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_LIMIT))?;
    Ok(stream)
}

struct Head {
    status: u16,
    location: Option<String>,
    body_bytes: u64,
    is_kept: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let Some(status) = status.and_then(|status| status.parse().ok()) else {
            bail!("the server said: {text}");
        };
        let value = |name| super::load::header(&text, name);
        let body_bytes = value("Content-Length").and_then(|length| length.parse().ok());
        Ok(Self {
            status,
            location: value("Location").map(str::to_owned),
            body_bytes: body_bytes.with_context(|| format!("no Content-Length in {text}"))?,
            is_kept: !value("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server of one connection that answers every request alike; tells how many connections it took.
    fn server(answer: &'static str) -> (String, thread::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/file", listener.local_addr().unwrap());
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut requests = 0;
            let mut seen = Vec::new();
            let mut byte = [0];
            while stream.read(&mut byte).unwrap() > 0 {
                seen.push(byte[0]);
                if seen.ends_with(b"\r\n\r\n") {
                    requests += 1;
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
            requests
        };
        (address, thread::spawn(serve))
    }

    #[test]
    fn two_requests_go_over_one_connection() {
        let (url, served) = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        let mut client = Client::new(Some("Bearer x"));
        for _ in 0..2 {
            let answer = client.get(&url).unwrap();
            assert_eq!((answer.status, answer.body_bytes), (200, 5));
        }
        drop(client);
        assert_eq!(served.join().unwrap(), 2);
    }

    #[test]
    fn a_body_of_another_length_is_a_failed_measure() {
        let (url, served) = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        let error = once_each(&[url], None, 1, 6).unwrap_err();
        assert!(error.to_string().contains("5 bytes"), "{error}");
        assert_eq!(served.join().unwrap(), 1);
    }
}
