//! Our Node.js packages, with an addon built in this profile.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder `bindings-node`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("bindings-node")
}

/// The addon of this build profile, as Node loads it; built if need be. `AZURE_IOT_NATIVE` takes its path.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let twin = crate::process::profile_folder();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "bindings-node"]);
        if twin.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "the addon builds");
        let (library, addon) = (twin.join("libtwin_node.so"), twin.join("twin.node"));
        // Under a new name first: another test may have the old one loaded.
        let fresh = twin.join(format!("twin.node.{}", std::process::id()));
        std::fs::copy(library, &fresh).expect("the library is there");
        std::fs::rename(&fresh, &addon).expect("it gets its name");
        addon
    })
}

/// Links the packages to each other, once; that downloads nothing.
pub fn link() {
    crate::node::install(&folder());
}

/// Runs npm in `folder` and panics with what it said if it fails.
pub fn npm(folder: &Path, arguments: &[&str]) -> String {
    let out = Command::new("npm")
        .args(arguments)
        .args(["--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder)
        .output()
        .expect("npm must be on the PATH (Node.js 18 or later)");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "npm {} in {}:\n{text}{}",
        arguments.join(" "),
        folder.display(),
        String::from_utf8_lossy(&out.stderr)
    );
    text
}
