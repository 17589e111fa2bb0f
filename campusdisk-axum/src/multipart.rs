//! `multipart/byteranges` (RFC 9110 §14.6): several parts of a file in one body of a length known before.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use campusdisk_core::{ByteBody, IdSource, Result, Span};
use futures::{Stream, StreamExt};
use http::HeaderValue;

/// The frames around the parts of one answer.
#[derive(Debug)]
pub(crate) struct Framing {
    boundary: String,
    heads: Vec<Bytes>,
    end: Bytes,
    len_bytes: u64,
}

impl Framing {
    /// Frames for these parts of a file of `size_bytes`, with a boundary that nobody can put into a file beforehand.
    pub(crate) fn new(parts: &[Span], mime: &str, size_bytes: u64, ids: &dyn IdSource) -> Self {
        let boundary = format!("{:032x}", ids.random());
        let heads: Vec<Bytes> = parts
            .iter()
            .enumerate()
            .map(|(index, part)| {
                let break_before = if index == 0 { "" } else { "\r\n" };
                let range = content_range(*part, size_bytes);
                format!(
                    "{break_before}--{boundary}\r\nContent-Type: {mime}\r\nContent-Range: {range}\r\n\r\n"
                )
                .into()
            })
            .collect();
        let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        let frames: u64 = heads.iter().map(|head| head.len() as u64).sum();
        let contents: u64 = parts.iter().map(|part| part.len()).sum();
        Self {
            len_bytes: frames + contents + end.len() as u64,
            boundary,
            heads,
            end,
        }
    }

    /// The value of `Content-Type`.
    pub(crate) fn content_type(&self) -> HeaderValue {
        let text = format!("multipart/byteranges; boundary={}", self.boundary);
        // A boundary is hexadecimal.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("multipart/byteranges"))
    }

    /// How long the whole body is.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The body. `open` is called with the index of each part when its turn comes.
    pub(crate) fn body<F, Opening>(self, parts: usize, open: F) -> ByteBody
    where
        F: FnMut(usize) -> Opening + Send + Unpin + 'static,
        Opening: Future<Output = Result<ByteBody>> + Send + 'static,
    {
        let len_bytes = self.len_bytes;
        let frames = Frames {
            heads: self.heads.into(),
            next_part: 0,
            parts,
            end: Some(self.end),
            open,
            state: State::Between,
        };
        ByteBody::stream(len_bytes, frames)
    }
}

/// The value of `Content-Range` for a part (§14.4).
pub(crate) fn content_range(part: Span, size_bytes: u64) -> String {
    format!("bytes {}-{}/{size_bytes}", part.start(), part.last())
}

struct Frames<F, Opening> {
    heads: VecDeque<Bytes>,
    next_part: usize,
    parts: usize,
    end: Option<Bytes>,
    open: F,
    state: State<Opening>,
}

enum State<Opening> {
    Between,
    Opening(Pin<Box<Opening>>),
    Sending(ByteBody),
}

impl<F, Opening> Stream for Frames<F, Opening>
where
    F: FnMut(usize) -> Opening + Unpin,
    Opening: Future<Output = Result<ByteBody>>,
{
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Between => {
                    if this.next_part == this.parts {
                        return Poll::Ready(this.end.take().map(Ok));
                    }
                    let opening = (this.open)(this.next_part);
                    this.next_part += 1;
                    this.state = State::Opening(Box::pin(opening));
                    return Poll::Ready(this.heads.pop_front().map(Ok));
                }
                State::Opening(opening) => match ready!(opening.as_mut().poll(context)) {
                    Ok(body) => this.state = State::Sending(body),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                State::Sending(body) => match ready!(body.poll_next_unpin(context)) {
                    Some(piece) => return Poll::Ready(Some(piece)),
                    None => this.state = State::Between,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use campusdisk_core::RandomIds;
    use futures::executor::block_on;

    use super::*;

    const FILE: &[u8] = b"0123456789";

    fn span(start: u64, end: u64) -> Span {
        Span::new(start, end).unwrap()
    }

    fn open(parts: Vec<Span>) -> impl FnMut(usize) -> futures::future::Ready<Result<ByteBody>> {
        move |index| {
            let range = parts[index].range();
            let bytes = &FILE[range.start as usize..range.end as usize];
            futures::future::ready(Ok(ByteBody::once(Bytes::from_static(bytes))))
        }
    }

    #[test]
    fn parts_come_framed_and_the_length_was_known_before() {
        let parts = vec![span(8, 10), span(0, 1)];
        let framing = Framing::new(&parts, "text/plain", 10, &RandomIds);
        let boundary = framing.boundary.clone();
        let len = framing.len_bytes();
        assert_eq!(
            framing.content_type(),
            format!("multipart/byteranges; boundary={boundary}")
        );
        let body = block_on(framing.body(2, open(parts)).collect(1000)).unwrap();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            format!(
                "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\
                 \r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\n0\
                 \r\n--{boundary}--\r\n"
            )
        );
        assert_eq!(body.len() as u64, len);
    }

    #[test]
    fn a_part_that_can_not_be_opened_breaks_the_body() {
        let parts = [span(0, 1), span(3, 4)];
        let framing = Framing::new(&parts, "text/plain", 10, &RandomIds);
        let body = framing.body(2, |_| {
            futures::future::ready(Err(campusdisk_core::Error::not_found()))
        });
        assert!(block_on(body.collect(1000)).is_err());
    }
}
