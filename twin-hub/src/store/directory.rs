//! The data directory: private to the user, one process at a time, with a version.
//!
//! ```text
//! DIR/            0700
//!   hub.lock      locked while a hub runs; holds its process id
//!   version       "twin-hub data 1"
//!   progress      see `marker`
//!   store/        the embedded engine's files, 0700
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use twin_core::Result;

use super::failed;

/// The layout of the data directory that this build writes; newer ones are refused.
pub(crate) const DATA_VERSION: u32 = 1;

const VERSION_PREFIX: &str = "twin-hub data ";

/// A locked data directory. Dropping it lets the next process in.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// held for its lock
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is missing, locks it and checks its version.
    pub(crate) fn open(path: &Path) -> Result<Directory> {
        make_private(path)?;
        let lock = lock(path)?;
        check_version(path)?;
        make_private(&path.join("store"))?;
        Ok(Directory { path: path.to_owned(), _lock: lock })
    }

    /// Refuses a target for a copy that is there and not empty.
    pub(crate) fn check_empty(path: &Path) -> Result<()> {
        match fs::read_dir(path).map(|mut entries| entries.next().is_some()) {
            Ok(false) => Ok(()),
            Ok(true) => Err(failed(format!(
                "'{}' is not empty; a backup goes into an empty or a new directory",
                path.display()
            ))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(failed(format!("'{}' cannot be looked into", path.display())).with_source(e)),
        }
    }

    /// Where the embedded engine keeps its files.
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// The progress marker's file.
    pub(crate) fn marker(&self) -> PathBuf {
        self.path.join("progress")
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn make_private(path: &Path) -> Result<()> {
    let wrong = |e| failed(format!("the data directory '{}' cannot be made", path.display())).with_source(e);
    if !path.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(wrong)?;
    }
    let mode = fs::metadata(path).map_err(wrong)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|e| {
            failed(format!(
                "the data directory '{}' holds keys, is open to others (mode {mode:o}) and cannot be made private",
                path.display()
            ))
            .with_source(e)
        })?;
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("hub.lock");
    let wrong = |e| failed(format!("the lock file '{}' cannot be opened", path.display())).with_source(e);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                pid => format!("process {pid}"),
            };
            return Err(failed(format!(
                "the data directory '{}' is in use by {holder}; stop that hub or choose another directory",
                dir.display()
            )));
        }
        Err(fs::TryLockError::Error(e)) => return Err(wrong(e)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(wrong)?;
    Ok(file)
}

fn check_version(dir: &Path) -> Result<()> {
    let path = dir.join("version");
    let wrong = |e| failed(format!("'{}' cannot be read or written", path.display())).with_source(e);
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().strip_prefix(VERSION_PREFIX).and_then(|n| n.parse::<u32>().ok()) {
            Some(n) if n <= DATA_VERSION => Ok(()),
            Some(n) => Err(failed(format!(
                "the data directory '{}' was written by a newer hub (layout {n}; this one knows {DATA_VERSION}); \
                 use that hub, or another directory",
                dir.display()
            ))),
            None => Err(failed(format!(
                "'{}' says '{}' instead of '{VERSION_PREFIX}{DATA_VERSION}'; '{}' is no data directory of a hub, \
                 or a damaged one",
                path.display(),
                text.trim().escape_debug(),
                dir.display()
            ))),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if dir.join("store").exists() {
                return Err(failed(format!(
                    "'{}' has a store but no version file; it is damaged: restore it from a backup",
                    dir.display()
                )));
            }
            // Written beside and renamed, so that a crash leaves either none or a whole one.
            let beside = dir.join("version.new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)
                .map_err(wrong)?;
            writeln!(file, "{VERSION_PREFIX}{DATA_VERSION}")
                .and_then(|()| file.sync_all())
                .and_then(|()| fs::rename(&beside, &path))
                .and_then(|()| File::open(dir)?.sync_all())
                .map_err(wrong)
        }
        Err(e) => Err(wrong(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_the_error_names_who_and_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub");
        let held = Directory::open(&path).unwrap();
        let error = Directory::open(&path).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        drop(held);
        Directory::open(&path).unwrap();
    }

    #[test]
    fn a_newer_or_foreign_layout_is_refused() {
        for (text, want) in
            [("twin-hub data 2\n", "newer"), ("something else", "no data directory"), ("", "damaged")]
        {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("version"), text).unwrap();
            let error = Directory::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(want), "{text:?}: {error}");
        }
    }

    #[test]
    fn files_are_private_even_in_a_directory_that_was_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let opened = Directory::open(dir.path()).unwrap();
        for (path, mode) in [
            (dir.path().to_owned(), 0o700),
            (opened.store(), 0o700),
            (dir.path().join("version"), 0o600),
            (dir.path().join("hub.lock"), 0o600),
        ] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
    }
}
