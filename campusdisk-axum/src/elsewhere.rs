//! Whole files that somebody else sends: a front server, or the store.

use std::path::Path;

use axum::response::Response;
use campusdisk_core::Download;
use campusdisk_core::storage::PresignOptions;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::client::Client;
use crate::error::Result;
use crate::options::{FrontServer, HttpOptions};

/// What nginx takes for the address to answer from instead (`ngx_http_upstream_module`). It reaches no client.
const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// Headers by which a request asks for less than the whole file, or only where it changed: validators are ours, and only we know what they match.
const SELECTIVE: [HeaderName; 6] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

/// The answer that has somebody else send a whole file, where somebody may and can; `describe` writes what is said of the file.
///
/// # Errors
/// What the store says of an address, or the catalog of a share's count.
pub(crate) async fn answer(
    options: &HttpOptions,
    download: &Download,
    client: &Client,
    asked: &HeaderMap,
    describe: impl Fn(&mut HeaderMap),
) -> Result<Option<Response>> {
    let is_selective = || SELECTIVE.iter().any(|name| asked.contains_key(name));
    if download.size_bytes() < options.elsewhere_from_bytes || is_selective() {
        return Ok(None);
    }
    let front_server = options.front_server.as_ref().filter(|_| client.by_proxy);
    let path = front_server.and_then(|front_server| path_at(front_server, download));
    if let Some(path) = path {
        download.hand_over().await?;
        let mut response = Response::default();
        describe(response.headers_mut());
        response.headers_mut().insert(X_ACCEL_REDIRECT, path);
        return Ok(Some(response));
    }
    let Some(lasts) = options.signed_address else {
        return Ok(None);
    };
    let mut described = HeaderMap::new();
    describe(&mut described);
    let text = |name: HeaderName| Some(described.get(name)?.to_str().ok()?.to_owned());
    let mut signed = PresignOptions::new(lasts);
    signed.content_disposition = text(header::CONTENT_DISPOSITION);
    signed.content_type = text(header::CONTENT_TYPE);
    let address = download.signed_address(signed).await?;
    let Some(address) = address.and_then(|address| HeaderValue::try_from(address).ok()) else {
        return Ok(None);
    };
    download.hand_over().await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, address);
    // The address opens the file to anybody who has it.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(Some(response))
}

/// Where the front server finds the file.
fn path_at(front_server: &FrontServer, download: &Download) -> Option<HeaderValue> {
    let (store, file) = download.local_file()?;
    let below = file.strip_prefix(front_server.folders.get(&store)?).ok()?;
    HeaderValue::try_from(address(&front_server.prefix, store.as_str(), below)?).ok()
}

/// Paths of blobs are plain ASCII, so nothing has to be encoded.
fn address(prefix: &str, store: &str, below: &Path) -> Option<String> {
    let below = below.to_str().filter(|path| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        path.bytes().all(is_plain)
    })?;
    Some(format!("{prefix}/{store}/{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_path_below_the_store_s_folder() {
        let of = |below: &str| address("/blobs", "primary", Path::new(below));
        assert_eq!(of("ab/cd/abcd").as_deref(), Some("/blobs/primary/ab/cd/abcd"));
        assert_eq!(of("ab/c d"), None);
    }
}
