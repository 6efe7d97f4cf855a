//! C programs: libtwin built, programs compiled against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use crate::process::profile_folder;

/// How every program is compiled: what the header promises to pass.
pub const STRICT: [&str; 6] =
    ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-D_POSIX_C_SOURCE=200809L"];

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder of it").to_owned()
}

/// The folder of `twin.h`.
pub fn include() -> PathBuf {
    root().join("bindings-c/include")
}

/// A file of `tests/c`.
pub fn program(name: &str) -> PathBuf {
    root().join("tests/c").join(name)
}

/// Runs a command that must end well.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A folder with `libtwin.so` as this build makes it, built now.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build(if profile_folder().ends_with("release") { "release" } else { "dev" }))
}

/// A folder with `libtwin.so`, built now with a profile of Cargo.toml.
pub fn build(profile: &str) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--package", "bindings-c", "--message-format=json", "--profile", profile])
        .current_dir(root());
    // What cargo tells its tests would make build scripts run again, there and back.
    for (name, _) in
        std::env::vars().filter(|(n, _)| n.starts_with("CARGO_PKG") || n.starts_with("CARGO_MANIFEST"))
    {
        build.env_remove(name);
    }
    let messages = String::from_utf8(run(&mut build).stdout).expect("cargo speaks UTF-8");
    let made = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut files = made.flat_map(|m| m["filenames"].as_array().cloned().unwrap_or_default());
    let so = files
        .find_map(|f| f.as_str().filter(|f| f.ends_with("libtwin.so")).map(PathBuf::from))
        .expect("libtwin.so is built");
    let folder = so.parent().expect("a file is in a folder").to_owned();
    // Programs look for the soname.
    let soname = folder.join("libtwin.so.0");
    if fs::read_link(&soname).is_err() {
        std::os::unix::fs::symlink("libtwin.so", &soname).expect("target is writable");
    }
    folder
}

/// Compiles a program against a folder with the library, as C99 or C++11, to `to`.
pub fn compile(source: &Path, library: &Path, cpp: bool, extra: &[&str], to: &Path) {
    let mut cc = if cpp { Command::new("c++") } else { Command::new("cc") };
    if cpp {
        cc.args(["-x", "c++", "-std=c++11"]);
    } else {
        cc.arg("-std=c99");
    }
    cc.args(STRICT).args(extra).arg("-I").arg(include()).arg("-I").arg(program(""));
    cc.arg(source).args(["-x", "none", "-o"]).arg(to).arg("-L").arg(library);
    // Not only a last resort: cargo tells its own in LD_LIBRARY_PATH.
    cc.arg(format!("-Wl,--disable-new-dtags,-rpath,{}", library.display())).args(["-ltwin", "-lpthread"]);
    run(&mut cc);
}
