//! The `twin` command: a hub, its devices, twins, queries and tokens. One command per file in `cmd/`.
//!
//! Data goes to stdout, talk to stderr. Exit code 0: done; 1: refused or failed; 2: misuse.

mod cmd;
mod context;
mod fail;
mod input;
mod log;
mod out;
mod style;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use context::{Context, Global};

/// Azure IoT Hub device twins: a local hub, identities, twins, queries, tokens.
#[derive(Parser)]
#[command(
    name = "twin",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: cmd::Command,
}

/// The command line as clap knows it, for shell completions.
fn command_line() -> clap::Command {
    Cli::command()
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json_errors = cli.global.output == out::Format::Json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("twin: cannot start: {error}");
            return ExitCode::from(1);
        }
    };
    let result = runtime.block_on(cli.command.run(Context::new(cli.global)));
    // A connection that still says goodbye must not keep the command from ending.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json_errors),
    }
}
