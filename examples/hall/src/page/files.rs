//! The app's files, built into this program as `build.rs` made them, with compressed twins beside them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use campusdisk_core::{EntityTag, EntityTags, Preconditions, Purpose, Validators, Verdict};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use include_dir::{Dir, include_dir};

static DIST: Dir<'static> = include_dir!("$OUT_DIR/page/dist");

/// Every file that is served, by its path below the root of the hall.
static FILES: LazyLock<HashMap<&'static str, File>> = LazyLock::new(|| {
    let mut folders = vec![&DIST];
    let mut files = HashMap::new();
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for path in folder.files().filter_map(|file| file.path().to_str()) {
            let is_twin = CODINGS.iter().any(|(ending, _)| path.ends_with(ending));
            // What begins with a dot tells the tests about the build.
            if path != INDEX && !path.starts_with('.') && !is_twin {
                files.extend(File::open(path).map(|file| (path, file)));
            }
        }
    }
    files
});

/// What has a digest in its name never changes.
pub(super) const FOR_EVER: &str = "public, max-age=31536000, immutable";

const INDEX: &str = "index.html";

/// Compressed twins, the smallest first: their ending, and the coding it stands for.
const CODINGS: [(&str, &str); 2] = [(".br", "br"), (".gz", "gzip")];

/// A file of the app, in all its forms.
#[derive(Debug)]
pub(super) struct File {
    path: &'static str,
    plain: Form,
    twins: Vec<(&'static str, Form)>,
}

/// The bytes of a file in one coding, and their tag.
#[derive(Debug)]
struct Form {
    bytes: &'static [u8],
    tag: String,
}

/// The file at a path, where it is one of the app's.
pub(super) fn find(path: &str) -> Option<&'static File> {
    FILES.get(path.strip_prefix('/')?)
}

/// The app's document as it was built.
pub(super) fn index() -> &'static str {
    DIST.get_file(INDEX)
        .and_then(include_dir::File::contents_utf8)
        .unwrap_or_default()
}

impl File {
    fn open(path: &'static str) -> Option<Self> {
        let twins = CODINGS
            .iter()
            .filter_map(|(ending, coding)| Some((*coding, Form::read(&format!("{path}{ending}"))?)));
        Some(Self {
            path,
            plain: Form::read(path)?,
            twins: twins.collect(),
        })
    }

    /// Names of assets hold a digest of them: what has such a name never changes.
    pub(super) fn caching(&self) -> &'static str {
        match self.path.starts_with("assets/") {
            true => FOR_EVER,
            false => "no-cache",
        }
    }

    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let twin = self.twins.iter().find(|(coding, _)| accepts(headers, coding));
        match twin {
            Some((coding, form)) => self.render(headers, form, Some(coding)),
            None => self.render(headers, &self.plain, None),
        }
    }

    fn render(&self, headers: &HeaderMap, form: &Form, coding: Option<&'static str>) -> Response {
        let mut response = if is_known(headers, &form.tag) {
            not_modified(&form.tag)
        } else {
            let mut response = Response::new(Body::from(Bytes::from_static(form.bytes)));
            let mime = HeaderValue::from_static(media_type(self.path));
            response.headers_mut().insert(header::CONTENT_TYPE, mime);
            set_tag(&mut response, &form.tag);
            response
        };
        if let Some(coding) = coding {
            let coding = HeaderValue::from_static(coding);
            response.headers_mut().insert(header::CONTENT_ENCODING, coding);
        }
        let vary = HeaderValue::from_static("accept-encoding");
        response.headers_mut().insert(header::VARY, vary);
        response
    }
}

impl Form {
    fn read(path: &str) -> Option<Self> {
        let bytes = DIST.get_file(path)?.contents();
        let tag = format!("\"{}\"", digest(bytes));
        Some(Self { bytes, tag })
    }
}

/// Tells versions of something apart, for this build of the hall.
pub(super) fn digest(what: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Whether the client says that it has what has this tag.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH);
    let conditions = Preconditions {
        if_none_match: EntityTags::parse(lines.into_iter().map(HeaderValue::as_bytes)),
        ..Preconditions::default()
    };
    EntityTag::parse(tag.as_bytes()).is_some_and(|tag| {
        conditions.verdict(Some(&Validators::of(tag)), Purpose::Read) == Verdict::NotModified
    })
}

/// 304 for what has this tag.
pub(super) fn not_modified(tag: &str) -> Response {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    set_tag(&mut response, tag);
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn set_tag(response: &mut Response, tag: &str) {
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

/// Whether a coding may be sent (RFC 9110 §12.5.3); a weight of 0 forbids it.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
            let forbidden = parts.any(|weight| {
                weight
                    .strip_prefix("q=")
                    .is_some_and(|weight| weight.parse() == Ok(0.0))
            });
            named && !forbidden
        })
}

/// What the app is made of; `mime_guess` knows a thousand more.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// What people load before they see their files, in bytes as they travel.
    const FIRST_VIEW_LIMIT_BYTES: usize = 300_000;

    #[test]
    fn the_first_view_is_under_300_kilobytes() {
        let manifest = DIST.get_file(".vite/manifest.json").unwrap();
        let manifest: Value = serde_json::from_slice(manifest.contents()).unwrap();
        let mut waiting = vec![
            "index.html".to_owned(),
            "src/views/account/SignInView.vue".to_owned(),
            "src/views/files/DriveView.vue".to_owned(),
            "src/locales/zh-CN/index.ts".to_owned(),
        ];
        let (mut seen, mut files) = (BTreeSet::new(), BTreeSet::new());
        let names = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        while let Some(key) = waiting.pop() {
            let chunk = &manifest[&key];
            assert!(chunk.is_object(), "{key} is not in the manifest");
            files.insert(chunk["file"].as_str().unwrap().to_owned());
            files.extend(names(&chunk["css"]));
            if seen.insert(key) {
                waiting.extend(names(&chunk["imports"]));
            }
        }
        let weight = |path: &String| {
            let twin = DIST.get_file(format!("{path}.br"));
            twin.or_else(|| DIST.get_file(path)).unwrap().contents().len()
        };
        let bytes: usize = files.iter().map(weight).sum();
        assert!(
            bytes < FIRST_VIEW_LIMIT_BYTES,
            "{bytes} bytes in {} files",
            files.len()
        );
    }

    #[test]
    fn a_coding_with_a_weight_of_0_is_not_sent() {
        let accepting = |value: &'static str| {
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))])
        };
        assert!(accepts(&accepting("gzip, deflate, br"), "br"));
        assert!(accepts(&accepting("br;q=0.5"), "br"));
        assert!(!accepts(&accepting("br;q=0, gzip"), "br"));
        assert!(!accepts(&accepting("brotli"), "br"));
        assert!(!accepts(&HeaderMap::new(), "br"));
    }
}
