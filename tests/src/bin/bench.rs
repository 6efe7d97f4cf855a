//! `cargo run --release -p tests --bin bench [-- [--quick] [--json FILE] [NAME…]]`: what the stack costs, next to its
//! budgets. Never fails for a number.

fn main() -> std::process::ExitCode {
    tests::bench::main()
}
