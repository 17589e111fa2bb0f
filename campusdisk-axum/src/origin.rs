//! Refuses what another site makes a browser send.

use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};

use crate::error::{Problem, Result};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a state change that a browser sends by itself, with what it keeps for us, for another site.
///
/// A browser sends cookies by itself, never `Authorization: Bearer`.
///
/// # Errors
/// 403 `cross_origin`.
pub(crate) fn check_ambient(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<()> {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let ambient = headers.contains_key(header::COOKIE) && !headers.contains_key(header::AUTHORIZATION);
    if changes && ambient {
        check_origin(uri, headers)
    } else {
        Ok(())
    }
}

/// Refuses whatever comes from another origin: `Sec-Fetch-Site` decides, else `Origin` against `Host`; with neither it passes.
///
/// # Errors
/// 403 `cross_origin`.
pub(crate) fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<()> {
    let own = if let Some(site) = headers.get(SEC_FETCH_SITE) {
        matches!(site.as_bytes(), b"same-origin" | b"none")
    } else if let Some(origin) = headers.get(header::ORIGIN) {
        origin.to_str().is_ok_and(|origin| is_at(origin, uri, headers))
    } else {
        true
    };
    if own {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "cross_origin",
        "this can only be asked for from the pages of this server",
    ))
}

/// Whether an origin such as `https://disk.example.edu` is the host that was asked.
fn is_at(origin: &str, uri: &Uri, headers: &HeaderMap) -> bool {
    // HTTP/2 has the host in the request's target.
    let host = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| headers.get(header::HOST).and_then(|host| host.to_str().ok()));
    let Some((host, (scheme, authority))) = host.zip(origin.split_once("://")) else {
        return false;
    };
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let bare = |authority: &str| {
        authority
            .strip_suffix(default_port)
            .unwrap_or(authority)
            .to_ascii_lowercase()
    };
    bare(host) == bare(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        check_origin(&Uri::from_static("/"), &headers).is_ok()
    }

    #[test]
    fn sec_fetch_site_decides_where_it_is_sent() {
        assert!(passes(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://evil.example"),
            ("host", "a")
        ]));
        assert!(passes(&[("sec-fetch-site", "none")]));
        for site in ["cross-site", "same-site", "", "Same-Origin?"] {
            assert!(
                !passes(&[("sec-fetch-site", site), ("origin", "https://a"), ("host", "a")]),
                "{site}"
            );
        }
    }

    #[test]
    fn else_the_origin_is_compared_with_the_host() {
        assert!(passes(&[]));
        assert!(passes(&[
            ("origin", "http://Disk.example:8080"),
            ("host", "disk.example:8080")
        ]));
        assert!(passes(&[
            ("origin", "https://disk.example"),
            ("host", "disk.example:443")
        ]));
        assert!(passes(&[("origin", "http://[::1]:8080"), ("host", "[::1]:8080")]));
        for origin in [
            "null",
            "https://evil.example",
            "http://disk.example:8081",
            "disk.example",
            "file://disk.example",
        ] {
            assert!(
                !passes(&[("origin", origin), ("host", "disk.example")]),
                "{origin}"
            );
        }
        assert!(!passes(&[("origin", "https://disk.example")]));
    }

    #[test]
    fn only_changes_with_what_a_browser_sends_by_itself_are_checked() {
        let foreign = [("sec-fetch-site", "cross-site"), ("cookie", "a=b")];
        let mut headers: HeaderMap = foreign
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let passes = |method: Method, headers: &HeaderMap| {
            check_ambient(&method, &Uri::from_static("/"), headers).is_ok()
        };
        assert!(!passes(Method::POST, &headers) && !passes(Method::DELETE, &headers));
        assert!(passes(Method::GET, &headers) && passes(Method::HEAD, &headers));
        headers.insert(header::AUTHORIZATION, "Bearer x".parse().unwrap());
        assert!(passes(Method::POST, &headers));
        headers.remove(header::AUTHORIZATION);
        headers.remove(header::COOKIE);
        assert!(passes(Method::POST, &headers));
    }
}
