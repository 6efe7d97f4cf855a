//! Link settings of a Node.js addon.

fn main() {
    napi_build::setup();
    // Node unloads an addon when the last isolate that loaded it ends, a worker thread perhaps. Our threads run on, so
    // the code must stay.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
