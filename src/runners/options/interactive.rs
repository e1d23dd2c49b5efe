//! The options that run one test on the user's terminal, in the test's own container.

use std::ffi::OsString;

use clap::Args;

/// The options that run one test on this terminal.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Debugging")]
pub struct InteractiveOptions {
    /// Run the one test that is selected under this command, in its own container on this terminal,
    /// without a timeout, such as 'rust-gdb --args'
    #[arg(long, value_name = "COMMAND", value_parser = words, conflicts_with_all = NOT_WITH)]
    debugger: Option<CommandWords>,

    /// The same for a command that needs no terminal, such as 'strace -f'
    #[arg(
        long,
        value_name = "COMMAND",
        value_parser = words,
        conflicts_with = "debugger",
        conflicts_with_all = NOT_WITH
    )]
    tracer: Option<CommandWords>,

    /// Run the one test that is selected on this terminal, in its own container, without a timeout
    #[arg(long, conflicts_with_all = ["debugger", "tracer"], conflicts_with_all = NOT_WITH)]
    tty: bool,
}

/// The options about many tests, or about what is reported of them.
const NOT_WITH: [&str; 7] = [
    "failed",
    "record",
    "replay",
    "watch",
    "junit",
    "partition",
    "write_times",
];

/// A program with its first arguments.
type CommandWords = Vec<OsString>;

/// How one test runs on the user's terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractiveRun {
    /// The option that asks for it.
    pub option: &'static str,
    /// The program with its first arguments that starts the test. Empty if nothing does.
    pub command: Vec<OsString>,
    pub terminal: TerminalDemand,
}

/// Whether a terminal is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalDemand {
    Needed,
    /// Without a terminal, the output is passed through.
    Optional,
}

impl InteractiveOptions {
    /// Returns how the test runs, if one of the options is set.
    pub fn interactive(self) -> Option<InteractiveRun> {
        let run = |option, command, terminal| {
            Some(InteractiveRun {
                option,
                command,
                terminal,
            })
        };
        match (self.debugger, self.tracer, self.tty) {
            (Some(command), _, _) => run("--debugger", command, TerminalDemand::Needed),
            (None, Some(command), _) => run("--tracer", command, TerminalDemand::Optional),
            (None, None, true) => run("--tty", Vec::new(), TerminalDemand::Needed),
            (None, None, false) => None,
        }
    }
}

/// Splits a command into words, as a shell does.
fn words(text: &str) -> Result<CommandWords, String> {
    match shlex::split(text) {
        Some(words) if !words.is_empty() => Ok(words.into_iter().map(OsString::from).collect()),
        Some(_) => Err("the name of a program is expected".to_owned()),
        None => Err("a quote is not closed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_does() {
        let split = |text| words(text).ok();
        let expected = ["rust-gdb", "-ex", "break main", "--args"];
        assert_eq!(
            split("rust-gdb -ex 'break main' --args"),
            Some(expected.map(OsString::from).to_vec())
        );
        for wrong in ["", "  ", "gdb 'x"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
