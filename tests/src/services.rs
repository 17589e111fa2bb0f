//! Where the real servers are that `cargo xtask services up`, or `cargo xtask test`, started.

use serde_json::Value;

/// Names the file with the endpoints.
const SERVICES_ENV: &str = "CAMPUSDISK_TEST_SERVICES";

/// The endpoint of one service, such as `/hdfs` or `/s3/versitygw`.
///
/// # Panics
/// When it is not running: a test that could not run must not count as passed.
pub fn endpoint(pointer: &str) -> Value {
    let missing = |what: String| -> ! {
        panic!("{what}: start it with `cargo xtask services up` and set {SERVICES_ENV} as that says")
    };
    let Some(path) = std::env::var_os(SERVICES_ENV) else {
        missing(format!("{SERVICES_ENV} is not set"))
    };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) => missing(format!("{} can't be read ({error})", path.display())),
    };
    let services: Value = match serde_json::from_slice(&text) {
        Ok(services) => services,
        Err(error) => missing(format!("{} is no JSON ({error})", path.display())),
    };
    match services.pointer(pointer) {
        Some(endpoint) => endpoint.clone(),
        None => missing(format!("{pointer} is not running")),
    }
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
