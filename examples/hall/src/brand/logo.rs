//! The logo: a small picture that can do no harm.

use std::path::Path;

use bytes::Bytes;

use crate::failure::{Failure, Outcome};

/// Every first visit loads it.
const MAX_BYTES: u64 = 256 << 10;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A logo as it is served.
#[derive(Debug)]
pub(super) struct Logo {
    pub(super) kind: Kind,
    pub(super) bytes: Bytes,
}

/// What kind of picture it is, by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Svg,
    Png,
}

impl Kind {
    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(PNG) {
            return Some(Self::Png);
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let drawing = after_prolog(text.trim_start_matches('\u{feff}'));
        // Without the namespace a browser shows no picture.
        let is_drawing = drawing.starts_with("<svg") && drawing.contains("http://www.w3.org/2000/svg");
        is_drawing.then_some(Self::Svg)
    }
}

impl Logo {
    /// Reads a logo.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let fail = |reason: String| Failure::new(format!("page.logo ({}): {reason}", path.display()));
        let facts = std::fs::metadata(path).map_err(|error| fail(format!("it can't be read: {error}")))?;
        if !facts.is_file() {
            return Err(fail("it is no file".to_owned()));
        }
        if facts.len() > MAX_BYTES {
            return Err(fail(format!(
                "it has {} bytes; a logo has at most {MAX_BYTES} bytes (256 KiB)",
                facts.len()
            )));
        }
        let bytes = std::fs::read(path).map_err(|error| fail(format!("it can't be read: {error}")))?;
        let kind = Kind::of(&bytes)
            .ok_or_else(|| fail("it is neither SVG (with its namespace, in UTF-8) nor PNG".to_owned()))?;
        Ok(Self {
            kind,
            bytes: bytes.into(),
        })
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "a logo ({}, {} bytes)",
            self.kind.ending().to_uppercase(),
            self.bytes.len()
        )
    }
}

/// What follows declarations, comments and white space.
fn after_prolog(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let end = match text {
            _ if text.starts_with("<!--") => "-->",
            _ if text.starts_with("<?") => "?>",
            _ if text.starts_with("<!") => ">",
            _ => return text,
        };
        match text.split_once(end) {
            Some((_, rest)) => text = rest,
            None => return "",
        }
    }
}
