//! A stream of bytes that knows its length and keeps to it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

use crate::{Error, ErrorKind, Result};

/// Bytes of an exact length, delivered in pieces.
///
/// The stream yields `Ok` pieces that add up to [`len_bytes`](Self::len_bytes) and ends, or yields one error and
/// ends: [`Truncated`](ErrorKind::Truncated) when its source stopped early, [`Corrupt`](ErrorKind::Corrupt) when the
/// source had more than it announced, else what the source said. It never ends short as if it were whole, and empty
/// pieces never come out.
///
/// # Cancel safety
/// Dropping it at any time frees what it holds.
pub struct ByteBody {
    source: Source,
    len_bytes: u64,
    left_bytes: u64,
    tally: Option<Tally>,
}

/// Told how many bytes come out, each time some do.
type Tally = Box<dyn FnMut(u64) + Send>;

enum Source {
    Once(Bytes),
    Stream(BoxStream<'static, Result<Bytes>>),
    Done,
}

impl ByteBody {
    /// No bytes.
    pub fn empty() -> Self {
        Self {
            source: Source::Done,
            len_bytes: 0,
            left_bytes: 0,
            tally: None,
        }
    }

    /// Bytes that are there already.
    pub fn once(bytes: Bytes) -> Self {
        let len_bytes = bytes.len() as u64;
        Self {
            source: Source::Once(bytes),
            len_bytes,
            left_bytes: len_bytes,
            tally: None,
        }
    }

    /// `len_bytes` bytes to come from `stream`.
    pub fn stream(len_bytes: u64, stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self {
            source: Source::Stream(stream.boxed()),
            len_bytes,
            left_bytes: len_bytes,
            tally: None,
        }
    }

    /// Tells `tally` how many bytes come out, each time some do; it is dropped with the body.
    pub(crate) fn tallied(mut self, tally: impl FnMut(u64) + Send + 'static) -> Self {
        self.tally = Some(Box::new(tally));
        self
    }

    /// How many bytes it has in all, delivered ones included.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// How many bytes are still to come.
    pub fn left_bytes(&self) -> u64 {
        self.left_bytes
    }

    /// The bytes, where they are all there already and none was taken; else the body itself.
    ///
    /// # Errors
    /// The body, when its bytes are still to come.
    pub fn into_ready(mut self) -> Result<Bytes, Self> {
        match self.source {
            Source::Once(bytes) => {
                if let Some(tally) = &mut self.tally {
                    tally(bytes.len() as u64);
                }
                Ok(bytes)
            }
            source => Err(Self { source, ..self }),
        }
    }

    /// Everything in one piece of memory.
    ///
    /// # Errors
    /// [`LimitExceeded`](ErrorKind::LimitExceeded) when it is longer than `limit_bytes`, else the body's own.
    pub async fn collect(mut self, limit_bytes: usize) -> Result<Bytes> {
        if self.left_bytes > limit_bytes as u64 {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                "the body is longer than the caller's limit",
            ));
        }
        let mut all = Vec::with_capacity(usize::try_from(self.left_bytes).unwrap_or(0));
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if all.is_empty() && self.left_bytes == 0 {
                return Ok(piece);
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Bytes>>> {
        self.source = Source::Done;
        Poll::Ready(Some(Err(error)))
    }

    fn accept(&mut self, piece: Bytes) -> Poll<Option<Result<Bytes>>> {
        match self.left_bytes.checked_sub(piece.len() as u64) {
            Some(left) => {
                self.left_bytes = left;
                if let Some(tally) = &mut self.tally {
                    tally(piece.len() as u64);
                }
                Poll::Ready(Some(Ok(piece)))
            }
            None => self.fail(Error::new(
                ErrorKind::Corrupt,
                "the source had more bytes than it announced",
            )),
        }
    }
}

impl Stream for ByteBody {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut self.source {
                Source::Done => return Poll::Ready(None),
                Source::Once(bytes) => {
                    let bytes = std::mem::take(bytes);
                    self.source = Source::Done;
                    if bytes.is_empty() {
                        return Poll::Ready(None);
                    }
                    return self.accept(bytes);
                }
                Source::Stream(stream) => match futures::ready!(stream.poll_next_unpin(context)) {
                    Some(Ok(piece)) if piece.is_empty() => {}
                    Some(Ok(piece)) => return self.accept(piece),
                    Some(Err(error)) => return self.fail(error),
                    None if self.left_bytes > 0 => {
                        let left = self.left_bytes;
                        let text = format!("the source ended {left} bytes early");
                        return self.fail(Error::new(ErrorKind::Truncated, text));
                    }
                    None => {
                        self.source = Source::Done;
                        return Poll::Ready(None);
                    }
                },
            }
        }
    }
}

impl fmt::Debug for ByteBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteBody")
            .field("len_bytes", &self.len_bytes)
            .field("left_bytes", &self.left_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn body(announced: u64, pieces: &[&'static str]) -> Result<Bytes> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        block_on(ByteBody::stream(announced, futures::stream::iter(pieces)).collect(100))
    }

    #[test]
    fn a_whole_body_comes_out_as_it_went_in() {
        assert_eq!(body(5, &["he", "", "llo"]).unwrap(), "hello");
        assert_eq!(
            block_on(ByteBody::once(Bytes::from_static(b"x")).collect(1)).unwrap(),
            "x"
        );
    }

    #[test]
    fn a_source_that_ends_early_is_truncated_and_one_that_goes_on_is_corrupt() {
        assert_eq!(body(6, &["hello"]).unwrap_err().kind(), ErrorKind::Truncated);
        assert_eq!(body(4, &["hel", "lo"]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
