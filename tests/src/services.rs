//! Where the real servers are that `cargo xtask services up`, or `cargo xtask test`, started.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

/// Names the file with the endpoints.
const SERVICES_ENV: &str = "CAMPUSDISK_TEST_SERVICES";

/// The endpoint of one service, such as `/hdfs` or `/s3/versitygw`.
///
/// # Panics
/// When it is not running: a test that could not run must not count as passed.
pub fn endpoint(pointer: &str) -> Value {
    let found = find(std::env::var_os(SERVICES_ENV).as_deref(), pointer);
    found.unwrap_or_else(|missing| panic!("{missing}"))
}

/// A text of an endpoint.
///
/// # Panics
/// When it is not there.
pub fn text<'a>(endpoint: &'a Value, field: &str) -> &'a str {
    match endpoint[field].as_str() {
        Some(text) => text,
        None => panic!("the endpoint has no {field}: {endpoint:#}"),
    }
}

/// The endpoint in `file`, the value of [`SERVICES_ENV`]; or, for whoever reads the failed test, what to do to have it.
fn find(file: Option<&OsStr>, pointer: &str) -> Result<Value, String> {
    let name = pointer.rsplit('/').next().unwrap_or(pointer);
    let missing = |why: String| {
        format!(
            "this test needs the server {name}, {why}: run `cargo xtask services up {name}` and set {SERVICES_ENV} as that says"
        )
    };
    let Some(file) = file.map(Path::new) else {
        return Err(missing(format!("and {SERVICES_ENV} is not set")));
    };
    let at = file.display();
    let text = std::fs::read(file).map_err(|error| missing(format!("and {at} can't be read ({error})")))?;
    let services: Value =
        serde_json::from_slice(&text).map_err(|error| missing(format!("and {at} is no JSON ({error})")))?;
    let endpoint = services.pointer(pointer).cloned();
    endpoint.ok_or_else(|| missing(format!("which is not in {at}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn a_server_that_runs_is_found() {
        let file = file(r#"{"hdfs":{"url":"hdfs://a"},"s3":{"versitygw":{"region":"here"}}}"#);
        let found = |pointer| find(Some(file.path().as_os_str()), pointer).unwrap();
        assert_eq!(text(&found("/hdfs"), "url"), "hdfs://a");
        assert_eq!(text(&found("/s3/versitygw"), "region"), "here");
    }

    #[test]
    fn a_missing_server_is_named_with_the_command_that_starts_it() {
        let (other, broken) = (file(r#"{"s3":{"radosgw":{}}}"#), file("{"));
        let gone = Path::new("/nowhere/services.json").as_os_str();
        for file in [
            None,
            Some(gone),
            Some(other.path().as_os_str()),
            Some(broken.path().as_os_str()),
        ] {
            let says = find(file, "/s3/versitygw").unwrap_err();
            assert!(says.contains("needs the server versitygw"), "{says}");
            assert!(says.contains("`cargo xtask services up versitygw`"), "{says}");
        }
    }
}
