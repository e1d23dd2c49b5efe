//! In which tool's words a command line is written, and the parser for each.
//!
//! | words | grammar |
//! | --- | --- |
//! | none, `test` | that of `cargo test`, with the options of this program |
//! | `run`, `nextest run`, `nextest r` | that of `cargo nextest run`, with the options of this program |
//! | `list`, `nextest list` | that of `cargo nextest list`, with the options of this program |
//!
//! As the first word, these are never names of tests; such a name can be given after `--`, or after
//! an option.
//!
//! All grammars have the same arguments, with the same ids, under different spellings. Flags of the
//! replaced tool that are refused or have no effect are added from its table.

use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, CommandFactory};

use super::CargoOptions;
use super::peer::{CargoGrammar, PEER_ID};
use crate::options::NoTestsOption;
use crate::peers::{PeerFlag, PeerSupport};

/// A command line without the words that say in which grammar it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CargoWords {
    pub(super) grammar: CargoGrammar,
    /// The words, program name first.
    pub(super) words: Vec<OsString>,
}

impl CargoWords {
    /// Takes the words that say in which grammar a command line is written. Cargo calls
    /// `cargo-maelstrom maelstrom …` for `cargo maelstrom …`; that word is dropped, too.
    pub(super) fn read(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<CargoWords, clap::Error> {
        let mut arguments = arguments.into_iter().peekable();
        let program = arguments.next();
        arguments.next_if(|first| first == OsStr::new("maelstrom"));
        let mut rest: Vec<OsString> = arguments.collect();
        let first = rest.first().and_then(|word| word.to_str());
        let grammar = match first {
            Some("test") => {
                rest.remove(0);
                CargoGrammar::CargoTest
            }
            Some("run") => {
                rest.remove(0);
                CargoGrammar::NextestRun
            }
            Some("list") => {
                rest.remove(0);
                CargoGrammar::NextestList
            }
            Some("nextest") => {
                rest.remove(0);
                take_nextest_command(&mut rest)?
            }
            Some("help") => {
                if let Some(first) = rest.first_mut() {
                    *first = "--help".into();
                }
                CargoGrammar::CargoTest
            }
            Some(_) | None => CargoGrammar::CargoTest,
        };
        Ok(CargoWords {
            grammar,
            words: program.into_iter().chain(rest).collect(),
        })
    }
}

/// Returns the number right after `-r`, if that is one: the original Maelstrom's `-r` was `--repeat`.
pub(super) fn number_after_release(words: &[OsString]) -> Option<String> {
    let mut words = words.iter().take_while(|word| *word != "--");
    words.find(|word| *word == "-r")?;
    let number = words.next()?.to_str()?;
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| number.to_owned())
}

/// Takes the command of `cargo nextest`, which may come after options.
fn take_nextest_command(rest: &mut Vec<OsString>) -> Result<CargoGrammar, clap::Error> {
    let mut place = 0;
    while let Some(word) = rest.get(place) {
        match word.to_str() {
            Some("--color" | "--manifest-path") => place += 2,
            Some(word) if word.starts_with('-') && word != "--" => place += 1,
            Some(_) | None => break,
        }
    }
    let command = rest
        .get(place)
        .map(|word| word.to_string_lossy().into_owned());
    let grammar = match command.as_deref() {
        Some("run" | "r") => CargoGrammar::NextestRun,
        Some("list") => CargoGrammar::NextestList,
        _ if rest.iter().any(|word| word == "--help" || word == "-h") => {
            return Ok(CargoGrammar::NextestRun);
        }
        Some(other) => return Err(no_counterpart(&format!("`cargo nextest {other}` has"))),
        None => return Err(no_counterpart("`cargo nextest` without a command has")),
    };
    rest.remove(place);
    Ok(grammar)
}

fn no_counterpart(what: &str) -> clap::Error {
    let message = format!(
        "{what} no counterpart here; there are `cargo maelstrom nextest run` and `cargo maelstrom \
         nextest list`"
    );
    CargoGrammar::NextestRun
        .command()
        .error(ErrorKind::InvalidSubcommand, message)
}

impl CargoGrammar {
    /// Returns the parser.
    pub fn command(self) -> Command {
        let command = CargoOptions::command();
        let command = match self {
            CargoGrammar::CargoTest => command,
            CargoGrammar::NextestRun => of_nextest_run(of_nextest(command)),
            CargoGrammar::NextestList => of_nextest_list(of_nextest(command)),
        };
        self.with_peer_flags(command)
    }

    /// Adds the flags that are in the table of the tool only.
    fn with_peer_flags(self, command: Command) -> Command {
        let flags = self.peer().flags.iter();
        let others: Vec<Arg> = flags
            .filter_map(|flag| match flag.support {
                PeerSupport::Same | PeerSupport::Differs(_) => None,
                PeerSupport::NoEffect(_) | PeerSupport::Refused(_) => peer_argument(flag),
            })
            .filter(|arg| !command.get_arguments().any(|own| has_same_name(own, arg)))
            .collect();
        command.args(others)
    }
}

/// The spellings that both commands of nextest have.
fn of_nextest(command: Command) -> Command {
    command
        .mut_arg("jobs", |arg| {
            arg.short(None)
                .long("build-jobs")
                .help("Number of build jobs; a negative number is added to the number of CPUs")
        })
        .mut_arg("profile", |arg| arg.long("cargo-profile"))
        .mut_arg("verbose", |arg| arg.short(None).long("cargo-verbose"))
        .mut_arg("run_profile", |arg| arg.short('P').visible_alias("profile"))
        .mut_arg("nextest_config_file", |arg| {
            arg.long("config-file").hide(false)
        })
        .mut_arg("tool_config_file", |arg| arg.hide(false))
        .mut_arg("cargo_quiet", |arg| arg.hide(false))
        .mut_arg("cargo_message_format", |arg| arg.hide(false))
        .mut_arg("run_ignored", |arg| arg.hide(false))
        .mut_arg("platform_filter", |arg| arg.hide(false))
}

fn of_nextest_run(command: Command) -> Command {
    let shown = [
        "max_fail",
        "no_capture",
        "success_output",
        "failure_output",
        "status_level",
    ];
    let command = shown.into_iter().fold(command, |command, id| {
        command.mut_arg(id, |arg| arg.hide(false))
    });
    command
        .bin_name("cargo maelstrom nextest run")
        .mut_arg("test_threads", |arg| {
            arg.short('j').visible_alias("jobs").hide(false)
        })
        .mut_arg("fail_fast", |arg| {
            arg.visible_alias("ff")
                .hide(false)
                .help("Stop the run after the first failure: the default of this command")
        })
        .mut_arg("no_fail_fast", |arg| {
            arg.visible_alias("nff")
                .conflicts_with("stop_after")
                .help("Run all tests even if some fail")
        })
        .mut_arg("no_tests", |arg| {
            arg.value_parser(|text: &str| match text {
                // Nextest decides between its other options, of which there are none here.
                "auto" => Ok(NoTestsOption::Fail),
                text => no_tests(text),
            })
        })
}

/// Parses a value of `--no-tests`.
fn no_tests(text: &str) -> Result<NoTestsOption, String> {
    let parsed = <NoTestsOption as clap::ValueEnum>::from_str(text, false);
    parsed.map_err(|_| "`auto`, `pass`, `warn` or `fail` is expected".to_owned())
}

fn of_nextest_list(command: Command) -> Command {
    command
        .bin_name("cargo maelstrom nextest list")
        // The name means how the list is printed.
        .mut_arg("message_format", |arg| {
            arg.long("results-message-format").hide(true)
        })
        .mut_arg("list_format", |arg| {
            arg.short('T').long("message-format").hide(false)
        })
        .mut_arg("list_type", |arg| arg.hide(false))
}

fn peer_argument(flag: &PeerFlag) -> Option<Arg> {
    let first = flag.spellings.first()?;
    let mut arg = Arg::new(format!("{PEER_ID}{first}"))
        .hide(true)
        .action(match flag.value {
            Some(_) => ArgAction::Append,
            None => ArgAction::Count,
        });
    let mut is_named = false;
    for spelling in flag.spellings {
        let short = spelling.trim_start_matches('-').chars().next();
        arg = match (spelling.strip_prefix("--"), short) {
            (Some(long), _) if is_named => arg.alias(long),
            (Some(long), _) => arg.long(long),
            (None, short) => arg.short(short),
        };
        is_named = true;
    }
    Some(arg)
}

fn has_same_name(one: &Arg, other: &Arg) -> bool {
    let same_long = one.get_long().is_some() && one.get_long() == other.get_long();
    let same_short = one.get_short().is_some() && one.get_short() == other.get_short();
    same_long || same_short
}
