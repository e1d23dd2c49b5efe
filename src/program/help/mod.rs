//! Help beyond the description of options: topics, completion of command lines, and schemas.
//!
//! - [`manual`]: the programs and their command lines. [`short_help`]: `-h` of the services.
//! - [`topics`]: the texts of `PROGRAM help TOPIC`; [`render`] and [`pager`] display them.
//! - [`completion`]: what a word of a command line can be completed to; [`candidates`] has the names
//!   of packages, targets and tests. [`scripts`]: the scripts with which shells ask for it.
//! - [`schemas`]: JSON schemas of the files that users write.
//!
//! A program asks here before it parses its command line: `help` is then a word like any other.

pub mod candidates;
pub mod completion;
pub mod manual;
pub mod pager;
pub mod render;
pub mod schemas;
pub mod scripts;
pub mod short_help;
pub mod topics;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use miette::Diagnostic;

use self::manual::ProgramManual;
use self::pager::PagerUse;
use self::render::TextStyle;
use self::scripts::CompletionShell;
use self::topics::HelpTopic;
use super::failure::ProgramFailure;
use super::startup::print_out;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_spec::config::COMPLETIONS;
use maelstrom_ui::style::OutputColor;

/// The widest text, in columns: longer lines are hard to read.
const COLUMNS_MAX: usize = 90;

/// The width where the terminal does not say.
const COLUMNS_DEFAULT: usize = 80;

/// The hidden option by which completion scripts ask for candidates.
const COMPLETE_AT: &str = "--complete-at";

/// What a command line asks of the help.
#[derive(Clone, Debug)]
enum HelpRequest {
    /// The list of topics.
    Topics,
    Topic(&'static HelpTopic),
    /// The JSON schema of this name.
    Schema(String),
    /// The completion script of a shell.
    Script(CompletionShell),
    /// The candidates for the word at this index.
    Candidates(usize, Vec<String>),
}

/// A request for help that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
enum HelpRequestError {
    #[error("there is no help topic `{name}`")]
    #[diagnostic(help("`{called} help` lists the topics"))]
    UnknownTopic { name: String, called: String },
    #[error("there is no schema `{name}`")]
    #[diagnostic(help("the schemas are {known}"))]
    UnknownSchema { name: String, known: String },
    #[error("`--{COMPLETIONS}` needs the name of a shell: bash, zsh or fish")]
    Shell,
}

impl ProgramError for HelpRequestError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// Answers a command line that asks for help on a topic, for a schema, or for completion. Returns
/// `None` for any other command line.
pub fn run_if_asked(manual: &ProgramManual, arguments: &[OsString]) -> Option<u8> {
    let words: Option<Vec<&str>> = arguments.iter().skip(1).map(|word| word.to_str()).collect();
    let words = words?;
    let words = match (words.as_slice(), manual.subcommand) {
        ([first, rest @ ..], Some(own)) if *first == own => rest,
        (all, _) => all,
    };
    let asked = request(manual, words)?;
    let pager = match words.contains(&"--no-pager") {
        true => PagerUse::Never,
        false => PagerUse::IfTerminal,
    };
    let answered = match asked {
        Ok(request) => answer(manual, request, pager),
        Err(error) => Err(error.into()),
    };
    Some(answered.unwrap_or_else(|failure| failure.report()))
}

/// Returns what the words ask for.
fn request(
    manual: &ProgramManual,
    words: &[&str],
) -> Option<Result<HelpRequest, HelpRequestError>> {
    let completions = format!("--{COMPLETIONS}");
    match words {
        [COMPLETE_AT, index, "--", words @ ..] => {
            let index = index.parse().ok()?;
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Some(Ok(HelpRequest::Candidates(index, words)))
        }
        ["help", rest @ ..] => {
            let rest = rest.iter().filter(|word| **word != "--no-pager");
            topic(manual, &rest.copied().collect::<Vec<_>>())
        }
        [option, shell] if *option == completions => Some(script(shell)),
        [option] => match option.strip_prefix(&completions)?.strip_prefix('=') {
            Some(shell) => Some(script(shell)),
            None if *option == completions => Some(Err(HelpRequestError::Shell)),
            None => None,
        },
        _ => None,
    }
}

fn script(shell: &str) -> Result<HelpRequest, HelpRequestError> {
    let shell = CompletionShell::named(shell).ok_or(HelpRequestError::Shell)?;
    Ok(HelpRequest::Script(shell))
}

/// Returns what the words after `help` ask for. Options after it belong to the program's parser, and
/// so do the program's subcommands.
fn topic(manual: &ProgramManual, words: &[&str]) -> Option<Result<HelpRequest, HelpRequestError>> {
    match words {
        [] => Some(Ok(HelpRequest::Topics)),
        ["schemas", name] => Some(Ok(HelpRequest::Schema((*name).to_owned()))),
        [name, rest @ ..] => {
            let found = topics::topic(name).filter(|_| rest.is_empty());
            if let Some(found) = found {
                return Some(Ok(HelpRequest::Topic(found)));
            }
            let is_option = words.iter().any(|word| word.starts_with('-'));
            if is_option || manual.command().find_subcommand(name).is_some() {
                return None;
            }
            Some(Err(HelpRequestError::UnknownTopic {
                name: words.join(" "),
                called: manual.called(),
            }))
        }
    }
}

fn answer(
    manual: &ProgramManual,
    request: HelpRequest,
    pager: PagerUse,
) -> Result<u8, ProgramFailure> {
    match request {
        HelpRequest::Topics => show(&topics::list(&manual.called()), pager),
        HelpRequest::Topic(topic) => show(topic.text, pager),
        HelpRequest::Schema(name) => match schemas::schema(manual, &name) {
            Some(schema) => print_out(&schema),
            None => Err(HelpRequestError::UnknownSchema {
                name,
                known: schemas::names(manual).join(", "),
            }
            .into()),
        },
        HelpRequest::Script(shell) => print_out(&scripts::script(manual, shell)),
        HelpRequest::Candidates(index, words) => {
            let command = manual.command();
            let names = candidates::ProjectNames::of(manual.schema.name);
            match completion::complete(&command, &words, index, &names) {
                completion::WordCompletion::Words(words) => print_out(&completion::lines(&words)),
                completion::WordCompletion::Files => Ok(completion::FILES),
            }
        }
    }
}

fn show(text: &str, pager: PagerUse) -> Result<u8, ProgramFailure> {
    let style = match OutputColor::for_stream(&io::stdout()) {
        OutputColor::Always => TextStyle::Styled,
        OutputColor::Never => TextStyle::Plain,
    };
    let columns = match io::stdout().is_terminal() {
        true => crossterm::terminal::size().map(|(columns, _)| usize::from(columns)),
        false => Ok(COLUMNS_DEFAULT),
    };
    let columns = columns.unwrap_or(COLUMNS_DEFAULT).min(COLUMNS_MAX);
    pager::show(&render::render(text, columns, style), pager)
}
