//! Bodies of answers and requests, each with a limit on how long it may rest.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use campusdisk_core::ByteBody;
use futures::StreamExt;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep};

/// The bytes of an answer. Passes pieces on as they come: no copy, no allocation, no task.
///
/// It fails, which hyper turns into a reset, when its source fails or rests longer than allowed; it never ends short.
pub(crate) struct AnswerBody {
    bytes: ByteBody,
    rest: Rest,
}

impl AnswerBody {
    /// An answer's body of exactly these bytes.
    pub(crate) fn over(bytes: ByteBody, idle: Duration) -> Body {
        Body::new(Self {
            bytes,
            rest: Rest::new(idle),
        })
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match this.bytes.poll_next_unpin(context) {
            Poll::Ready(piece) => {
                this.rest.ended();
                Poll::Ready(piece.map(|piece| {
                    piece.map(Frame::data).map_err(|error| {
                        tracing::warn!(%error, cause = ?error, "a download is cut off");
                        BodyError("the bytes can't be completed")
                    })
                }))
            }
            Poll::Pending => {
                ready!(this.rest.poll_over(context));
                tracing::warn!("a download is cut off: its source rested too long");
                Poll::Ready(Some(Err(BodyError("the source of the bytes rested too long"))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.left_bytes() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.left_bytes())
    }
}

/// How long and how much of a request's body is still read when nobody wants it any more.
///
/// A client that is still sending when the connection closes never sees the answer: its system throws it away with the
/// reset. So what it sends is read and dropped for a while, as nginx does by `lingering_close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Linger {
    pub(crate) max_bytes: u64,
    pub(crate) time: Duration,
}

/// A request's body that fails when the client rests longer than allowed.
pub(crate) struct RequestBody {
    inner: Body,
    rest: Rest,
    linger: Option<Linger>,
}

impl RequestBody {
    /// The same body with a limit on how long it may rest, and read on for a while when it is dropped early.
    pub(crate) fn limit(inner: Body, idle: Duration, linger: Option<Linger>) -> Body {
        if inner.is_end_stream() {
            return inner;
        }
        Body::new(Self {
            inner,
            rest: Rest::new(idle),
            linger,
        })
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(frame) => {
                this.rest.ended();
                if !matches!(frame, Some(Ok(_))) {
                    this.linger = None;
                }
                Poll::Ready(frame)
            }
            Poll::Pending => {
                ready!(this.rest.poll_over(context));
                this.linger = None;
                let cause = io::Error::new(io::ErrorKind::TimedOut, "the client rested too long");
                Poll::Ready(Some(Err(axum::Error::new(cause))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let unread = self.linger.filter(|_| !self.inner.is_end_stream());
        if let Some((linger, runtime)) = unread.zip(Handle::try_current().ok()) {
            let inner = std::mem::take(&mut self.inner);
            runtime.spawn(tokio::time::timeout(
                linger.time,
                discard(inner, linger.max_bytes),
            ));
        }
    }
}

async fn discard(mut body: Body, max_bytes: u64) {
    let mut left = max_bytes;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Why an answer's body was cut off.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BodyError(&'static str);

/// A timer that runs only while nothing comes. Made at the first rest, so that bodies that never rest pay nothing.
pub(crate) struct Rest {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Rest {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            timer: None,
            running: false,
        }
    }

    pub(crate) fn ended(&mut self) {
        self.running = false;
    }

    pub(crate) fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        if !self.running {
            self.running = true;
            timer.as_mut().reset(Instant::now() + self.limit);
        }
        timer.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use campusdisk_core::{Error, ErrorKind};
    use futures::{FutureExt, stream};

    use super::*;

    const IDLE: Duration = Duration::from_secs(30);

    fn answer(bytes: ByteBody) -> Body {
        AnswerBody::over(bytes, IDLE)
    }

    #[tokio::test]
    async fn the_length_is_known_and_kept_to() {
        let body = answer(ByteBody::once(Bytes::from_static(b"hello")));
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
        assert!(answer(ByteBody::empty()).is_end_stream());
    }

    #[tokio::test]
    async fn a_source_that_ends_early_breaks_the_body() {
        let short = ByteBody::stream(9, stream::iter([Ok(Bytes::from_static(b"hello"))]));
        assert!(answer(short).collect().await.is_err());
        let failing = ByteBody::stream(9, stream::iter([Err(Error::new(ErrorKind::Unavailable, "x"))]));
        assert!(answer(failing).collect().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_rests_too_long_breaks_the_body() {
        let started = Instant::now();
        let first = stream::iter([Ok(Bytes::from_static(b"a"))]);
        let body = answer(ByteBody::stream(9, first.chain(stream::pending())));
        assert!(body.collect().await.is_err());
        assert_eq!(started.elapsed().as_secs(), IDLE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_source_that_never_rests_too_long_is_not_cut() {
        let pieces = stream::unfold(0, |count| async move {
            tokio::time::sleep(Duration::from_secs(29)).await;
            (count < 9).then(|| (Ok(Bytes::from_static(b"a")), count + 1))
        });
        let body = answer(ByteBody::stream(9, pieces));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_rests_too_long_breaks_its_request() {
        let pieces = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"a"))]).chain(stream::pending());
        let mut body = RequestBody::limit(Body::from_stream(pieces), IDLE, None);
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().now_or_never().is_none());
        assert!(body.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn what_nobody_wants_any_more_is_read_for_a_while() {
        let (taken, mut counted) = tokio::sync::mpsc::unbounded_channel();
        let pieces = stream::iter(0..10).map(move |number| {
            taken.send(number).map_err(io::Error::other)?;
            Ok::<_, io::Error>(Bytes::from_static(b"12345"))
        });
        let linger = Linger {
            max_bytes: 14,
            time: IDLE,
        };
        drop(RequestBody::limit(Body::from_stream(pieces), IDLE, Some(linger)));
        let mut last = None;
        while let Some(number) = counted.recv().await {
            last = Some(number);
        }
        // The third piece is more than is read; the sender is gone with it.
        assert_eq!(last, Some(2));
    }
}
