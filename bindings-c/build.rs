//! The soname: programs keep working with every libtwin of the same ABI. And what catches panics comes from the compiler's static
//! library: its shared one is a tenth of a megabyte of memory for programs that do not have it anyway.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libtwin.so.0");
        // Its threads run on until the process ends, so its code must stay, whoever calls dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        if target("ENV") == "gnu" {
            // Rust's library asks for gcc_s by name; this is what the linker then finds first.
            let folder = env::var("OUT_DIR").expect("cargo says where");
            fs::write(Path::new(&folder).join("libgcc_s.so"), "INPUT(-lgcc_eh -lgcc)\n")
                .expect("it may write there");
            println!("cargo:rustc-cdylib-link-arg=-L{folder}");
            // Built for size: relocations in a tenth of a megabyte less, which loaders know from glibc 2.36 on. One that does not
            // know them says so, and the library is for the glibc of the machine that it is built on anyway.
            if env::var("OPT_LEVEL").is_ok_and(|level| level == "z")
                && glibc_of_this_machine() >= Some((2, 36))
            {
                println!("cargo:rustc-cdylib-link-arg=-Wl,-z,pack-relative-relocs");
            }
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}

/// Its version, if the library is for this machine.
fn glibc_of_this_machine() -> Option<(u32, u32)> {
    if env::var("HOST") != env::var("TARGET") {
        return None;
    }
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
