//! The few cookies there are.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, OriginalUri};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};

use crate::client::Client;
use crate::state::AppState;

/// Keeps somebody signed in.
pub(crate) const SESSION: &str = "campusdisk_session";
/// Keeps a visitor of a share one client.
pub(crate) const TICKET: &str = "campusdisk_ticket";

/// The value of a cookie of the request.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// For which requests the cookies of an answer are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CookieScope {
    /// What the host put before the paths of this router.
    prefix: String,
    secure: bool,
}

impl CookieScope {
    /// The `Set-Cookie` that makes a browser keep `value` for everything below `path` of this router (nothing for all of it), for `lasts` or, without
    /// it, until the browser closes. Values are words of URL-safe base 64.
    pub(crate) fn keep(&self, name: &str, value: &str, path: &str, lasts: Option<Duration>) -> HeaderValue {
        let age = lasts
            .map(|lasts| format!("; Max-Age={}", lasts.as_secs()))
            .unwrap_or_default();
        self.render(name, value, path, &age)
    }

    /// The `Set-Cookie` that makes a browser forget.
    #[cfg(feature = "accounts")]
    pub(crate) fn forget(&self, name: &str, path: &str) -> HeaderValue {
        self.render(name, "", path, "; Max-Age=0")
    }

    fn render(&self, name: &str, value: &str, path: &str, age: &str) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let whole = match (&*self.prefix, path) {
            ("", "") => "/".to_owned(),
            (prefix, path) => format!("{prefix}{path}"),
        };
        // Not every path can stand in a cookie; the whole host is wider, never elsewhere.
        let fits =
            whole.starts_with('/') && whole.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        let whole = if fits { &*whole } else { "/" };
        let text = format!("{name}={value}; Path={whole}; HttpOnly; SameSite=Lax{secure}{age}");
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

impl FromRequestParts<AppState> for CookieScope {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let client = Client::from_request_parts(parts, state).await?;
        let original = parts
            .extensions
            .get::<OriginalUri>()
            .map(|OriginalUri(uri)| uri.path());
        let prefix = original
            .and_then(|original| original.strip_suffix(parts.uri.path()))
            .unwrap_or_default();
        Ok(Self {
            prefix: prefix.to_owned(),
            secure: client.secure || state.options().secure_cookies,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=1; campusdisk_session=abc; campusdisk_session2=x"),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(read(&headers, SESSION), Some("abc"));
        assert_eq!(read(&headers, "b"), Some("2"));
        assert_eq!(read(&headers, "campusdisk"), None);
    }

    #[test]
    fn a_cookie_is_for_this_router_only() {
        let scope = CookieScope {
            prefix: "/disk".into(),
            secure: true,
        };
        assert_eq!(
            scope.keep(SESSION, "abc", "", Some(Duration::from_secs(60))),
            "campusdisk_session=abc; Path=/disk; HttpOnly; SameSite=Lax; Secure; Max-Age=60"
        );
        let plain = CookieScope {
            prefix: String::new(),
            secure: false,
        };
        assert_eq!(
            plain.keep(TICKET, "t", "/s/x", None),
            "campusdisk_ticket=t; Path=/s/x; HttpOnly; SameSite=Lax"
        );
        #[cfg(feature = "accounts")]
        assert_eq!(
            plain.forget(SESSION, ""),
            "campusdisk_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    #[test]
    fn a_prefix_that_could_end_the_attribute_is_not_used() {
        let scope = CookieScope {
            prefix: "/a;Domain=evil".into(),
            secure: false,
        };
        assert_eq!(
            scope.keep(SESSION, "x", "", None),
            "campusdisk_session=x; Path=/; HttpOnly; SameSite=Lax"
        );
    }
}
