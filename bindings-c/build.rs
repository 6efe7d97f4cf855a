//! The soname: programs keep working with every libtwin of the same ABI. And what catches panics comes from the compiler's static
//! library: its shared one is a tenth of a megabyte of memory for programs that do not have it anyway.

use std::path::Path;
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
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}
