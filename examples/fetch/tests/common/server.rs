//! A server of one file, whose every answer a test may spoil.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use tokio::sync::Semaphore;

/// Bytes go out in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// How many came before.
    pub(crate) number: usize,
    pub(crate) at: Instant,
    pub(crate) path: String,
    /// The first byte and one past the last.
    pub(crate) range: Option<(usize, usize)>,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a server answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// After so many bytes the connection is reset.
    pub(crate) cut_after: Option<usize>,
    /// Whether the length is told.
    pub(crate) has_length: bool,
    /// A byte goes out for each permit.
    pub(crate) gate: Option<Arc<Semaphore>>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            cut_after: None,
            has_length: true,
            gate: None,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    pub(crate) fn gated(mut self, gate: &Arc<Semaphore>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }
}

/// One version of a file, served as RFC 9110 has it.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) bytes: Bytes,
    pub(crate) tag: &'static str,
}

impl File {
    pub(crate) fn new(len: usize, tag: &'static str) -> Self {
        // xorshift64: any two places differ, and the same place of two versions does.
        let mut state = tag.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| {
            state.rotate_left(8) ^ u64::from(byte)
        });
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(len);
        Self {
            bytes: bytes.into(),
            tag,
        }
    }

    pub(crate) fn answer(&self, asked: &Asked) -> Answer {
        let size = self.bytes.len();
        let is_same = asked.header("if-range").is_none_or(|tag| tag == self.tag);
        match asked.range.filter(|_| is_same) {
            Some((start, end)) if start < size => self.range(start, end),
            Some(_) => Answer::new(416, "").with("content-range", &format!("bytes */{size}")),
            None => Answer::new(200, self.bytes.clone()).with("etag", self.tag),
        }
    }

    pub(crate) fn range(&self, start: usize, end: usize) -> Answer {
        let (size, end) = (self.bytes.len(), end.min(self.bytes.len()));
        Answer::new(206, self.bytes.slice(start..end))
            .with("etag", self.tag)
            .with("content-range", &format!("bytes {start}-{}/{size}", end - 1))
    }
}

/// A server in this process; it ends with the test's runtime.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    sent_bytes: AtomicU64,
    cuts: AtomicUsize,
    /// Bodies that are on their way.
    open: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (for_requests, respond) = (Arc::clone(&seen), Arc::new(respond));
        let service = move |request: Request| {
            let (seen, respond) = (Arc::clone(&for_requests), Arc::clone(&respond));
            async move {
                let asked = seen.note(&request);
                let answer = respond(&asked);
                send(seen, answer)
            }
        };
        let app = Router::new().fallback(service);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, seen }
    }

    /// A server of one file.
    pub(crate) async fn of(file: &File) -> Self {
        let file = file.clone();
        Self::start(move |asked| file.answer(asked)).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap().clone()
    }

    /// How many bytes of bodies went out.
    pub(crate) fn sent_bytes(&self) -> usize {
        self.seen.sent_bytes.load(Ordering::SeqCst) as usize
    }

    /// How many connections were reset on purpose.
    pub(crate) fn cuts(&self) -> usize {
        self.seen.cuts.load(Ordering::SeqCst)
    }

    /// How many bodies are on their way.
    pub(crate) fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }
}

impl Seen {
    fn note(&self, request: &Request) -> Asked {
        let mut all = self.asked.lock().unwrap();
        let headers = request.headers().clone();
        let range = headers.get("range").map(|range| {
            let text = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
            let (first, last) = text.split_once('-').unwrap();
            (first.parse().unwrap(), last.parse::<usize>().unwrap() + 1)
        });
        let asked = Asked {
            number: all.len(),
            at: Instant::now(),
            path: request.uri().path().to_owned(),
            range,
            headers,
        };
        all.push(asked.clone());
        asked
    }
}

/// Counts a body as open until it is sent or dropped.
struct Open(Arc<Seen>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn send(seen: Arc<Seen>, answer: Answer) -> Response {
    let mut response = Response::builder().status(answer.status);
    if answer.has_length {
        response = response.header("content-length", answer.body.len());
    }
    response.headers_mut().unwrap().extend(answer.headers);
    seen.open.fetch_add(1, Ordering::SeqCst);
    let sending = (Open(seen), answer.body, answer.cut_after, answer.gate);
    let pieces = stream::unfold(sending, |(open, mut body, cut_after, gate)| async move {
        if cut_after == Some(0) {
            open.0.cuts.fetch_add(1, Ordering::SeqCst);
            return Some((Err(io::Error::other("cut")), (open, Bytes::new(), None, None)));
        }
        if body.is_empty() {
            return None;
        }
        let len = PIECE_BYTES.min(body.len()).min(cut_after.unwrap_or(usize::MAX));
        if let Some(gate) = &gate {
            gate.acquire_many(len as u32).await.unwrap().forget();
        }
        open.0.sent_bytes.fetch_add(len as u64, Ordering::SeqCst);
        let piece = body.split_to(len);
        let cut_after = cut_after.map(|left| left - len);
        Some((Ok(piece), (open, body, cut_after, gate)))
    });
    response.body(Body::from_stream(pieces)).unwrap()
}
