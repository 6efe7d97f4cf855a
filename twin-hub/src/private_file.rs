//! Files that only their owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use twin_core::{Error, ErrorKind, Result};

fn failed(what: &str, path: &Path, e: std::io::Error) -> Error {
    let way_out = match e.kind() {
        std::io::ErrorKind::PermissionDenied => "; the hub's user must own the data directory",
        std::io::ErrorKind::StorageFull => "; the disk is full",
        _ => "",
    };
    Error::new(ErrorKind::Storage, format!("cannot {what} {}: {e}{way_out}", path.display())).with_source(e)
}

/// Makes `dir` and what is above it; a directory made here is private to the user.
pub(crate) fn make_dir(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|e| failed("make", dir, e))
}

/// Like [`make_dir`], for a directory that must hold nothing yet.
pub(crate) fn make_empty_dir(dir: &Path) -> Result<()> {
    make_dir(dir)?;
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(
            ErrorKind::Storage,
            format!("{} is not empty; a backup goes into an empty or a new directory", dir.display()),
        )),
        Err(e) => Err(failed("look into", dir, e)),
    }
}

/// The text of the file, or `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed("read", path, e)),
    }
}

/// Writes the file whole or not at all, readable by its owner alone, and waits for the disk.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let part = path.with_extension("part");
    // What a crash left behind may have other permissions.
    match fs::remove_file(&part) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed("replace", &part, e)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part).map_err(|e| failed("write", &part, e))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| failed("write", &part, e))?;
    fs::rename(&part, path).map_err(|e| failed("write", path, e))?;
    if let Some(dir) = path.parent() {
        // The rename itself is durable once the directory is.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| failed("sync", dir, e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        make_dir(&inner).unwrap();
        let path = inner.join("x.pem");
        assert_eq!(read(&path).unwrap(), None);
        fs::write(path.with_extension("part"), "left behind").unwrap();
        for text in ["one", "two"] {
            write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap().as_deref(), Some(text));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let nowhere = dir.path().join("none/x");
        assert!(write(&nowhere, "").unwrap_err().to_string().contains("none"));
    }
}
