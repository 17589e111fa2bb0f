//! HTTP/1.1 by hand, for what no well-behaved client sends: half a body, a malformed head, no reading.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Hall;

/// One connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer, as far as it came.
#[derive(Debug)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the body has the length that the head promised.
    pub whole: bool,
}

impl RawAnswer {
    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value.trim())
            .next()
            .unwrap_or_default()
    }
}

impl Raw {
    /// Connects.
    pub async fn connect(hall: &Hall) -> Self {
        let stream = TcpStream::connect(hall.address())
            .await
            .expect("the hall listens");
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the hall has closed the connection.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Sends a head: method, path and headers, with `Host`.
    ///
    /// # Errors
    /// When the hall has closed the connection.
    pub async fn head(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Result<()> {
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        self.send(format!("{method} {path} HTTP/1.1\r\nhost: hall\r\n{lines}\r\n"))
            .await
    }

    /// Reads an answer's head, and its body as far as it comes.
    ///
    /// # Errors
    /// When the connection ends before the head does.
    pub async fn answer(&mut self) -> Result<RawAnswer> {
        let (status, head) = self.answer_head().await?;
        let mut answer = RawAnswer {
            status,
            head,
            body: Vec::new(),
            whole: false,
        };
        let length: Option<usize> = answer.header("content-length").parse().ok();
        loop {
            if length.is_some_and(|length| self.read.len() >= length) {
                answer.whole = true;
                break;
            }
            match self.more().await {
                Ok(true) => {}
                Ok(false) | Err(_) => break,
            }
        }
        answer.body = std::mem::take(&mut self.read);
        Ok(answer)
    }

    /// Reads an answer's head only; returns its status and text.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn answer_head(&mut self) -> Result<(u16, String)> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if !self.more().await? {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    "the connection ended before an answer",
                ));
            }
        };
        let rest = self.read.split_off(end + 4);
        let head = String::from_utf8_lossy(&std::mem::replace(&mut self.read, rest)).to_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        Ok((status, head))
    }

    /// Reads at least `count` bytes of a body and lets them go; returns how many came before the connection ended.
    pub async fn skip(&mut self, count: usize) -> usize {
        let mut seen = 0;
        loop {
            seen += std::mem::take(&mut self.read).len();
            if seen >= count || !matches!(self.more().await, Ok(true)) {
                return seen;
            }
        }
    }

    /// How many bytes of a body still come when nothing is read before `deadline`, by which the hall has to have cut it: what is
    /// on its way in buffers, which are filled again only by what is not cut.
    pub async fn left_after(&mut self, deadline: std::time::Instant) -> usize {
        tokio::time::sleep_until(deadline.into()).await;
        self.skip(usize::MAX).await
    }

    /// Waits for the hall to close the connection, reading what still comes.
    pub async fn closed(&mut self) {
        while matches!(self.more().await, Ok(true)) {
            self.read.clear();
        }
    }

    async fn more(&mut self) -> Result<bool> {
        let mut piece = [0; 64 << 10];
        let count = self.stream.read(&mut piece).await?;
        self.read.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }
}
