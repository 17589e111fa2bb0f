//! The first answer: what the file is called, and which way its bytes can come.

use reqwest::Response;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_ENCODING, HeaderMap, HeaderValue};

use crate::client::Client;
use crate::error::Trouble;
use crate::headers::{ContentRange, Validator, repr_sha256, text};
use crate::name::file_name;
use crate::spans::Span;

/// What the first answer tells.
#[derive(Debug)]
pub(crate) struct First {
    pub(crate) name: String,
    /// By `Repr-Digest`.
    pub(crate) sha256: Option<[u8; 32]>,
    pub(crate) way: Way,
}

/// How the bytes can come.
#[derive(Debug)]
pub(crate) enum Way {
    /// In spans, by several connections, and another day.
    Spans { size: u64, validator: Validator },
    /// In one piece, as this answer.
    Whole { answer: Response, because: String },
}

/// Asks for the first byte: only an answer to a range shows that the server takes ranges.
pub(crate) async fn ask(client: &Client) -> Result<First, Trouble> {
    let mut answer = client.get(Span::new(0, 1), None).await?;
    let because = match answer.status().as_u16() {
        206 => match ranges(client, &answer)? {
            Ok(way) => {
                // To its end, so that the connection can be used again.
                while client.next(&mut answer).await?.is_some() {}
                return First::new(client, answer.headers(), way);
            }
            Err(because) => because,
        },
        // An empty file has no first byte.
        416 => "the server has no range of this file",
        200 | 203 => return First::whole(client, answer, "the server does not take ranges"),
        status => return Err(client.against_rules(format!("it answers {status}, and no file"))),
    };
    let answer = client.get(None, None).await?;
    if answer.status() != 200 {
        return Err(client.against_rules(format!("it answers {} to a plain request", answer.status())));
    }
    First::whole(client, answer, because)
}

impl First {
    fn new(client: &Client, headers: &HeaderMap, way: Way) -> Result<Self, Trouble> {
        check_encoding(client, headers)?;
        let disposition = headers.get(CONTENT_DISPOSITION).map(HeaderValue::as_bytes);
        Ok(Self {
            name: file_name(disposition, client.url()),
            sha256: repr_sha256(headers),
            way,
        })
    }

    fn whole(client: &Client, answer: Response, because: &str) -> Result<Self, Trouble> {
        let headers = answer.headers().clone();
        let because = because.to_owned();
        Self::new(client, &headers, Way::Whole { answer, because })
    }
}

/// Whether an answer 206 allows to go on in spans, or why not.
fn ranges(client: &Client, answer: &Response) -> Result<Result<Way, &'static str>, Trouble> {
    let headers = answer.headers();
    let range = ContentRange::of(headers);
    let Some(range) = range.filter(|range| range.span == Span::new(0, 1)) else {
        let said = text(headers, "content-range").unwrap_or("nothing readable");
        return Err(client.against_rules(format!("asked for bytes 0-0, it says that it sends {said}")));
    };
    Ok(match (range.size, Validator::of(headers)) {
        (Some(size), Some(validator)) => Ok(Way::Spans { size, validator }),
        (None, _) => Err("the server does not tell the file's length"),
        (_, None) => Err(
            "the server names no version of the file (a strong ETag, or a Last-Modified that is old enough)",
        ),
    })
}

/// Bytes that are coded are not the file's.
pub(crate) fn check_encoding(client: &Client, headers: &HeaderMap) -> Result<(), Trouble> {
    match text(headers, CONTENT_ENCODING) {
        None | Some("identity" | "") => Ok(()),
        Some(coding) => Err(client.against_rules(format!(
            "it sends the file as {coding}, though identity was asked for"
        ))),
    }
}
