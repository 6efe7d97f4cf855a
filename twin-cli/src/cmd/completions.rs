//! `twin completions SHELL`

use clap::Args;
use clap_complete::Shell;

use crate::fail::Result;
use crate::out;

/// Prints a completion script: source <(twin completions bash)
#[derive(Args)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::command_line(), "twin", &mut script);
        out::line(String::from_utf8_lossy(&script).trim_end())
    }
}
