//! The university's own look: its logo and its colour, as configured.

mod colour;
mod logo;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};

use self::colour::Palette;
use self::logo::Logo;
use crate::config::Config;
use crate::failure::Outcome;

/// What of the look is served as files of its own; both have a digest in their names.
#[derive(Debug)]
pub(crate) struct Brand {
    logo: Option<Logo>,
    style: Option<String>,
}

impl Brand {
    /// Reads and checks what the configuration names.
    ///
    /// # Errors
    /// What is wrong with the logo or the colour.
    pub(crate) fn load(config: &Config) -> Outcome<Self> {
        let page = &config.page;
        let logo = page
            .logo
            .as_ref()
            .map(|path| Logo::read(&config.below_data(path)));
        Ok(Self {
            logo: logo.transpose()?,
            style: page
                .accent
                .as_deref()
                .map(Palette::parse)
                .transpose()?
                .map(|palette| palette.style()),
        })
    }

    /// Checks a colour without keeping anything of it.
    ///
    /// # Errors
    /// Why it can't be the accent.
    pub(crate) fn check_accent(accent: &str) -> Outcome {
        Palette::parse(accent).map(drop)
    }

    /// What was found, for the operator.
    pub(crate) fn describe(&self) -> String {
        let logo = self.logo.as_ref().map(Logo::describe);
        let colour = self
            .style
            .as_ref()
            .map(|_| "the accent keeps its contrast".to_owned());
        let parts: Vec<_> = logo.into_iter().chain(colour).collect();
        match parts.is_empty() {
            true => "as it comes".to_owned(),
            false => parts.join(", "),
        }
    }

    /// Where the logo is, below the root of the hall.
    pub(crate) fn logo_path(&self) -> Option<String> {
        let logo = self.logo.as_ref()?;
        Some(format!(
            "assets/logo-{}.{}",
            digest(&logo.bytes),
            logo.kind.ending()
        ))
    }

    /// Where the style is, below the root of the hall.
    pub(crate) fn style_path(&self) -> Option<String> {
        let style = self.style.as_ref()?;
        Some(format!("assets/brand-{}.css", digest(style.as_bytes())))
    }

    /// The file at a path of the hall, where it is one of these.
    pub(crate) fn find(&self, path: &str) -> Option<Response> {
        let path = path.strip_prefix('/')?;
        if self.style_path().as_deref() == Some(path) {
            let style = Bytes::from(self.style.clone()?);
            return Some(file(style, "text/css; charset=utf-8"));
        }
        if self.logo_path().as_deref() == Some(path) {
            let logo = self.logo.as_ref()?;
            return Some(file(logo.bytes.clone(), logo.kind.media_type()));
        }
        None
    }
}

/// An SVG that is opened by itself is a document: this lets it draw and do nothing else.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

fn file(bytes: Bytes, media_type: &'static str) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// Tells contents apart; the same for every instance of this version.
fn digest(bytes: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hasher as _};

    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests;
