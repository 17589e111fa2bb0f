//! A connection that is cut when its peer takes no bytes for too long.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::Rest;

/// A connection whose writes fail when the peer takes nothing for `idle`.
///
/// A server stops asking an answer's body for bytes while the socket is full, so only the connection can notice a
/// client that no longer reads. Reads are passed on: their limits are hyper's header timeout and the request bodies' own.
pub struct IdleIo<Io> {
    inner: Io,
    rest: Rest,
}

impl<Io> IdleIo<Io> {
    /// Wraps a connection.
    pub fn new(inner: Io, idle: Duration) -> Self {
        Self {
            inner,
            rest: Rest::new(idle),
        }
    }

    fn limit<T>(rest: &mut Rest, context: &mut Context<'_>, progress: Poll<Result<T>>) -> Poll<Result<T>> {
        if progress.is_ready() {
            rest.ended();
            return progress;
        }
        rest.poll_over(context)
            .map(|()| Err(Error::new(ErrorKind::TimedOut, "the client takes no bytes")))
    }
}

impl<Io> std::fmt::Debug for IdleIo<Io> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdleIo").finish_non_exhaustive()
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for IdleIo<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for IdleIo<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let progress = Pin::new(&mut self.inner).poll_write(context, bytes);
        Self::limit(&mut self.rest, context, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let progress = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        Self::limit(&mut self.rest, context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let progress = Pin::new(&mut self.inner).poll_flush(context);
        Self::limit(&mut self.rest, context, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let progress = Pin::new(&mut self.inner).poll_shutdown(context);
        Self::limit(&mut self.rest, context, progress)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_reading_is_cut() {
        let (_client, server) = tokio::io::duplex(16);
        let started = tokio::time::Instant::now();
        let error = IdleIo::new(server, IDLE).write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_is_not() {
        let (mut client, server) = tokio::io::duplex(16);
        let slow = async {
            let mut bytes = [0; 16];
            for _ in 0..4 {
                tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
                client.read_exact(&mut bytes).await.unwrap();
            }
        };
        let mut server = IdleIo::new(server, IDLE);
        let (written, ()) = tokio::join!(server.write_all(&[0; 64]), slow);
        assert!(written.is_ok());
    }
}
