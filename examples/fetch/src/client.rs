//! Requests for one address: redirects, and what an answer that is none of bytes means.

use std::error::Error as _;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, IF_RANGE, LOCATION, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use crate::error::{Error, Passing, Result, Trouble, shown};
use crate::headers::{Validator, retry_after, text};
use crate::options::Options;
use crate::spans::Span;

/// More redirects than this lead nowhere.
const REDIRECTS_LIMIT: u32 = 10;
/// A problem document is read up to here.
const PROBLEM_LIMIT_BYTES: usize = 64 * 1024;
/// What of it is repeated, so that no server fills the screen.
const SAID_LIMIT_CHARACTERS: usize = 300;

/// Sends requests for one address.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    asked: Url,
    /// Where redirects led.
    found: Mutex<Url>,
    headers: HeaderMap,
    idle_timeout: Duration,
}

/// The parts of a problem document (RFC 9457) that are for people.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Client {
    pub(crate) fn new(url: Url, options: &Options) -> Result<Self> {
        // A connection of HTTP/2 would carry all spans by one flow of TCP. The bytes are wanted as they are.
        let http = reqwest::Client::builder()
            .http1_only()
            .redirect(Policy::none())
            .connect_timeout(options.connect_timeout)
            .user_agent(concat!("campusdisk-fetch/", env!("CARGO_PKG_VERSION")))
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .build()
            .map_err(|error| Error::Asked(format!("no connection can be made: {}", why(error))))?;
        Ok(Self {
            http,
            found: Mutex::new(url.clone()),
            asked: url,
            headers: options.headers.clone(),
            idle_timeout: options.idle_timeout,
        })
    }

    /// The address as it was asked for.
    pub(crate) fn url(&self) -> &Url {
        &self.asked
    }

    pub(crate) fn shown(&self) -> String {
        shown(&self.asked)
    }

    /// Asks for the whole, or for a span of what a validator names. An answer is 2xx or 416, with its body to come.
    pub(crate) async fn get(
        &self,
        span: Option<Span>,
        validator: Option<&Validator>,
    ) -> Result<Response, Trouble> {
        let start = self.found().clone();
        match self.follow(start.clone(), span, validator).await {
            // Where redirects led may be an address for some time only.
            Err(Trouble::Fatal(Error::Refused { .. })) if start != self.asked => {
                self.follow(self.asked.clone(), span, validator).await
            }
            answer => answer,
        }
    }

    /// The next bytes of an answer; nothing at its end.
    pub(crate) async fn next(&self, answer: &mut Response) -> Result<Option<Bytes>, Trouble> {
        match tokio::time::timeout(self.idle_timeout, answer.chunk()).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(Trouble::passing(why(error))),
            Err(_) => Err(self.idle()),
        }
    }

    /// An answer that breaks the rules.
    pub(crate) fn against_rules(&self, why: impl Into<String>) -> Trouble {
        Trouble::Fatal(Error::Rules {
            url: self.shown(),
            why: why.into(),
        })
    }

    async fn follow(
        &self,
        mut at: Url,
        span: Option<Span>,
        validator: Option<&Validator>,
    ) -> Result<Response, Trouble> {
        for _ in 0..=REDIRECTS_LIMIT {
            let answer = self.send(&at, span, validator).await?;
            let Some(next) = self.redirect(&at, &answer)? else {
                let answer = judged(&at, answer).await?;
                *self.found() = at;
                return Ok(answer);
            };
            at = next;
        }
        let why = format!("it redirects more than {REDIRECTS_LIMIT} times");
        Err(self.against_rules(why))
    }

    async fn send(
        &self,
        at: &Url,
        span: Option<Span>,
        validator: Option<&Validator>,
    ) -> Result<Response, Trouble> {
        let mut request = self.http.get(at.clone()).header(ACCEPT_ENCODING, "identity");
        // Asked for with the whole or the first byte; RFC 9530 §4.
        if validator.is_none() {
            request = request.header("want-repr-digest", "sha-256=10");
        }
        if let Some(span) = span {
            request = request.header(RANGE, format!("bytes={}-{}", span.start, span.end - 1));
        }
        if let Some(validator) = validator {
            request = request.header(IF_RANGE, validator.as_str());
        }
        // Tokens and the like are for whom they were given.
        if at.origin() == self.asked.origin() {
            request = request.headers(self.headers.clone());
        }
        match tokio::time::timeout(self.idle_timeout, request.send()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_builder() || is_bad_certificate(&error) => Err(Trouble::Fatal(
                Error::Asked(format!("{}: {}", shown(at), why(error))),
            )),
            Ok(Err(error)) => Err(Trouble::passing(why(error))),
            Err(_) => Err(self.idle()),
        }
    }

    fn redirect(&self, at: &Url, answer: &Response) -> Result<Option<Url>, Trouble> {
        if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let location = answer.headers().get(LOCATION).map(HeaderValue::as_bytes);
        let location = location.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let next = location.and_then(|location| at.join(location).ok());
        match next.filter(|next| matches!(next.scheme(), "http" | "https")) {
            Some(next) => Ok(Some(next)),
            None => Err(self.against_rules("it redirects to no address of the web")),
        }
    }

    fn idle(&self) -> Trouble {
        Trouble::passing(format!("no byte came in {} s", self.idle_timeout.as_secs_f32()))
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Url> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets answers of bytes pass, and says of each other one whether another try may help.
async fn judged(at: &Url, answer: Response) -> Result<Response, Trouble> {
    let status = answer.status();
    if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(answer);
    }
    let retry_after = retry_after(answer.headers(), SystemTime::now());
    let said = said(answer).await;
    if matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504) {
        return Err(Trouble::Passing(Passing {
            why: format!("it answered {status}{said}"),
            retry_after,
            crowded: matches!(status.as_u16(), 429 | 503),
        }));
    }
    Err(Trouble::Fatal(Error::Refused {
        url: shown(at),
        status: status.to_string(),
        said,
    }))
}

/// What a problem document says, after a colon.
async fn said(mut answer: Response) -> String {
    let kind = text(answer.headers(), CONTENT_TYPE).unwrap_or_default();
    if !kind.starts_with("application/problem+json") {
        return String::new();
    }
    let mut document = Vec::new();
    while let Ok(Some(bytes)) = answer.chunk().await {
        document.extend_from_slice(&bytes);
        if document.len() > PROBLEM_LIMIT_BYTES {
            return String::new();
        }
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(&document) else {
        return String::new();
    };
    let parts = [problem.title, problem.detail].into_iter().flatten();
    let printable = parts.map(|part| {
        let characters = part.chars().filter(|character| !character.is_control());
        format!(": {}", characters.take(SAID_LIMIT_CHARACTERS).collect::<String>())
    });
    printable.collect()
}

/// What failed, to its last cause, without the address, whose query may be a secret.
fn why(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let words = deeper.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = deeper.source();
    }
    text
}

/// A certificate that is not trusted now will not be in a second.
fn is_bad_certificate(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let io = deeper.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::InvalidData) {
            return true;
        }
        cause = deeper.source();
    }
    false
}
