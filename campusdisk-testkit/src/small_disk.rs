//! Tests on a disk that is soon full: a real one, mounted in a namespace of the test's own.

use std::path::Path;
use std::process::Command;

/// Where the disk is mounted, in the process that has one.
const MOUNTED_AT: &str = "CAMPUSDISK_TEST_SMALL_DISK";

/// Runs the test of this `name` on a disk of `mebibytes` that only its process sees: this program again, in a namespace where
/// it may mount. The test must be one without arguments or a runtime of its own.
///
/// # Panics
/// When the test does, or when no namespace can be had.
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
pub fn on_a_small_disk(name: &str, mebibytes: u32, test: impl AsyncFnOnce(&Path)) {
    if let Some(folder) = std::env::var_os(MOUNTED_AT) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        return runtime.block_on(test(Path::new(&folder)));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = format!(
        "mount -t tmpfs -o size={mebibytes}m small \"${MOUNTED_AT}\" && exec \"$0\" --exact {name} --nocapture"
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(std::env::current_exe().expect("this test's own path"))
        .env(MOUNTED_AT, folder.path())
        .output()
        .expect("util-linux is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
