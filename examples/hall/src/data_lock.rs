//! One hall at a time on one data folder.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::failure::{Failure, Outcome};

const FILE: &str = "hall.lock";

/// Held while this process serves the folder; the system gives it up when the process ends, however it ends.
///
/// Throttles, the takeover of uploads and the cutting of transfers are each process's own, so two halls on one folder would
/// show odd delays; a second one is refused instead. Commands take no lock: the database takes theirs.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the folder, making it where it is missing.
    ///
    /// # Errors
    /// When another hall has it or it can't be written.
    pub(crate) fn take(folder: &Path) -> Outcome<Self> {
        make_folder(folder)?;
        let path = folder.join(FILE);
        let fail = |error: std::io::Error| {
            Failure::new(format!(
                "the data folder can't be locked ({}): {error}",
                path.display()
            ))
        };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the sentence: who it is does not matter.
                let _ = file.read_to_string(&mut holder);
                return Err(Failure::new(format!(
                    "the data folder {} is served by another hall (process {}); stop it, or give this one another --data",
                    folder.display(),
                    holder.trim()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(fail)?;
        writeln!(file, "{}", std::process::id()).map_err(fail)?;
        Ok(Self { _file: file })
    }
}

/// Makes the data folder, for the owner only: password hashes and everybody's files lie in it.
pub(crate) fn make_folder(folder: &Path) -> Outcome {
    use std::os::unix::fs::DirBuilderExt as _;

    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| {
        Failure::new(format!(
            "the data folder {} can't be made: {error}",
            folder.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_halls_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let first = DataLock::take(&data).unwrap();
        let refused = DataLock::take(&data).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        DataLock::take(&data).unwrap();
    }
}
