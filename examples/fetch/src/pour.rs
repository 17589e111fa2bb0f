//! From a stream of bytes into a place of a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;

/// So much is collected before it is written. Of twice that, and of one piece from the network, a connection's memory is made.
const WRITE_BYTES: usize = 512 * 1024;

/// Or so long, where bytes come slowly: what is not written can't be written down, and a kill would lose it.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(1);

/// Writes bytes into a file from an offset on, on the blocking pool, while the next ones are received.
///
/// Bytes that were pushed may be written after this was dropped; only [`finish`](Self::finish) waits for all of them.
#[derive(Debug)]
pub(crate) struct Pour {
    file: Arc<File>,
    next: u64,
    held: Vec<Bytes>,
    held_bytes: usize,
    wrote_at: Instant,
    writing: Option<JoinHandle<io::Result<u64>>>,
}

impl Pour {
    pub(crate) fn new(file: &Arc<File>, start: u64) -> Self {
        Self {
            file: Arc::clone(file),
            next: start,
            held: Vec::new(),
            held_bytes: 0,
            wrote_at: Instant::now(),
            writing: None,
        }
    }

    /// Takes bytes; returns how many earlier ones are written since the last call.
    pub(crate) async fn push(&mut self, bytes: Bytes) -> io::Result<u64> {
        self.held_bytes += bytes.len();
        self.held.push(bytes);
        if self.held_bytes < WRITE_BYTES && self.wrote_at.elapsed() < LONGEST_HOLD {
            return Ok(0);
        }
        let written = self.written().await?;
        self.write();
        Ok(written)
    }

    /// Waits until all that was pushed is written; returns how many bytes that were since the last call. More may follow.
    pub(crate) async fn finish(&mut self) -> io::Result<u64> {
        let before = self.written().await?;
        self.write();
        Ok(before + self.written().await?)
    }

    fn write(&mut self) {
        let (file, start) = (Arc::clone(&self.file), self.next);
        let held = std::mem::take(&mut self.held);
        self.next += self.held_bytes as u64;
        self.held_bytes = 0;
        self.wrote_at = Instant::now();
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let mut at = start;
            for bytes in held {
                file.write_all_at(&bytes, at)?;
                at += bytes.len() as u64;
            }
            Ok(at - start)
        }));
    }

    async fn written(&mut self) -> io::Result<u64> {
        let Some(writing) = self.writing.take() else {
            return Ok(0);
        };
        let written = writing.await?;
        if written.is_err() {
            // What lies behind a hole may not count as written.
            self.held.clear();
            self.held_bytes = 0;
        }
        written
    }
}
