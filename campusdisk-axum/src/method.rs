//! `X-HTTP-Method-Override`, for gateways that pass only GET and POST, and answers without a body.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, header};
use http_body::Body as _;

use crate::error::{Problem, Result};

const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// What the connection was asked by and what the request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The method is the one on the wire.
    Plainly,
    /// So is this, and nothing but the headers may be answered.
    Head,
    /// A HEAD that came as a POST: its answer may announce no body that does not come (RFC 9110 §8.6).
    HeadAsPost,
}

impl Sent {
    /// By a method that means itself.
    pub(crate) fn by(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            _ => Self::Plainly,
        }
    }
}

/// Gives the request the method it means.
///
/// # Errors
/// 400 when a POST names a method that can't be meant. On other methods the header says nothing.
pub(crate) fn apply_override(request: &mut Request) -> Result<Sent> {
    if request.method() != Method::POST {
        return Ok(Sent::by(request.method()));
    }
    let Some(value) = request.headers().get(OVERRIDE) else {
        return Ok(Sent::Plainly);
    };
    let meant = [
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::POST,
    ]
    .into_iter()
    .find(|method| {
        value
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(method.as_str().as_bytes())
    })
    .ok_or_else(|| Problem::bad_request("X-HTTP-Method-Override is none of PUT, PATCH, DELETE and HEAD"))?;
    let sent = match meant {
        Method::HEAD => Sent::HeadAsPost,
        _ => Sent::Plainly,
    };
    *request.method_mut() = meant;
    Ok(sent)
}

/// Makes the answer fit the method on the wire.
pub(crate) fn fit(sent: Sent, response: &mut Response) {
    match sent {
        Sent::Plainly => {}
        Sent::Head => keep_headers_only(response),
        Sent::HeadAsPost => {
            response.headers_mut().remove(header::CONTENT_ENCODING);
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            *response.body_mut() = Body::empty();
        }
    }
}

/// Makes the answer to a GET that of a HEAD (RFC 9110 §9.3.2): no body, and the length of the one that is left out. Routers of axum do
/// this by themselves; on HTTP/2 hyper does not.
pub fn keep_headers_only(response: &mut Response) {
    if let Some(length) = response.body().size_hint().exact().filter(|&length| length > 0) {
        let headers = response.headers_mut();
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
    *response.body_mut() = Body::empty();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(method: Method, name: &str) -> Option<(Method, Sent)> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        request.headers_mut().insert(OVERRIDE, name.parse().unwrap());
        let sent = apply_override(&mut request).ok()?;
        Some((request.method().clone(), sent))
    }

    #[test]
    fn a_post_means_the_method_it_names() {
        assert_eq!(meant(Method::POST, "PUT"), Some((Method::PUT, Sent::Plainly)));
        assert_eq!(meant(Method::POST, "patch"), Some((Method::PATCH, Sent::Plainly)));
        assert_eq!(
            meant(Method::POST, " DELETE "),
            Some((Method::DELETE, Sent::Plainly))
        );
        assert_eq!(
            meant(Method::POST, "HEAD"),
            Some((Method::HEAD, Sent::HeadAsPost))
        );
    }

    #[test]
    fn nothing_else_can_be_meant() {
        for name in ["GET", "TRACE", "CONNECT", "", "PUT, DELETE", "PROPFIND"] {
            assert_eq!(meant(Method::POST, name), None, "{name}");
        }
    }

    #[test]
    fn only_a_post_is_overridden() {
        for method in [Method::GET, Method::PUT, Method::OPTIONS] {
            assert_eq!(meant(method.clone(), "DELETE"), Some((method, Sent::Plainly)));
        }
        assert_eq!(meant(Method::HEAD, "DELETE"), Some((Method::HEAD, Sent::Head)));
    }

    #[test]
    fn a_head_is_answered_the_length_of_what_is_left_out() {
        let fitted = |mut response: Response| {
            fit(Sent::Head, &mut response);
            assert!(response.body().is_end_stream());
            response.headers().get(header::CONTENT_LENGTH).cloned()
        };
        assert_eq!(fitted(Response::new(Body::from("12345"))).unwrap(), "5");
        assert_eq!(fitted(Response::new(Body::empty())), None);
        let mut known = Response::new(Body::empty());
        known.headers_mut().insert(header::CONTENT_LENGTH, 7.into());
        assert_eq!(fitted(known).unwrap(), "7");
    }
}
