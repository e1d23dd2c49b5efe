//! Splits a command line into this program's own options and pytest's words.
//!
//! pytest's flags mean what they mean to pytest; where one of them has an effect on the whole run, it
//! becomes an option of this program (`-n 4` is `--slots=4`). All other words go to pytest in their
//! order, so that pytest itself decides what an unknown option is, and whether the word after it is
//! its value. For this, each gets a [`WordRole`] and becomes the value of a hidden option:
//!
//! ```text
//! -n 2 -x tests --cov src --repeat 3   ─▶   --slots=2 -x p:tests a:--cov a:src --repeat=3
//! ```
//!
//! `addopts` of the project and `PYTEST_ADDOPTS` are read the same way, but pytest reads them by itself:
//! only the options for the whole run are taken from them.
//!
//! The rewriting is pure and infallible.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::Command;

use super::peer_flags::flag;
use crate::peers::{PeerFlag, PeerSupport};

/// The hidden options that carry what is left for [`super::options`].
pub const WORD: &str = "pytest-word";
pub const REFUSED: &str = "pytest-refused";
pub const PASSING_OUTPUT: &str = "pytest-passing-output";

/// pytest's flags that only select tests or find the configuration: tests run by node id, with the
/// configuration of the collection.
const SELECTING: [&str; 6] = [
    "--deselect",
    "--ignore",
    "--ignore-glob",
    "--rootdir",
    "--config-file",
    "--collect-in-virtualenv",
];

/// The command lines that a word of pytest's is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordRole {
    /// Those of the collection and of tests.
    Always,
    /// That of the collection only.
    Collecting,
    /// That of the collection only; it is a path, or a node id.
    Path,
}

/// A word for pytest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PytestWord {
    pub role: WordRole,
    pub text: OsString,
}

impl PytestWord {
    /// Reads the value of a hidden option.
    pub fn read(value: &OsStr) -> PytestWord {
        let (role, text) = value.as_bytes().split_at(value.len().min(2));
        PytestWord {
            role: match role {
                b"c:" => WordRole::Collecting,
                b"p:" => WordRole::Path,
                _ => WordRole::Always,
            },
            text: OsStr::from_bytes(text).to_owned(),
        }
    }

    fn written(&self) -> OsString {
        let role = match self.role {
            WordRole::Always => "a:",
            WordRole::Collecting => "c:",
            WordRole::Path => "p:",
        };
        let mut word = OsString::from(format!("--{WORD}={role}"));
        word.push(&self.text);
        word
    }
}

/// This program's own options, and whether each takes a value.
#[derive(Clone, Debug, Default)]
pub struct OwnOptions {
    long: BTreeMap<String, bool>,
    short: BTreeMap<char, bool>,
}

impl OwnOptions {
    /// Returns the options of a command, with those that are added when it parses.
    pub fn of(command: &Command, negatable: impl Iterator<Item = &'static str>) -> OwnOptions {
        let mut own = OwnOptions::default();
        own.long
            .extend([("help", false), ("print-config", false)].map(named));
        own.short.extend([('h', false), ('P', false)]);
        own.long
            .extend(negatable.map(|name| match name.strip_prefix("no-") {
                Some(positive) => (positive.to_owned(), false),
                None => (format!("no-{name}"), false),
            }));
        for argument in command.get_arguments() {
            let takes = argument.get_action().takes_values();
            let names = argument.get_long().into_iter();
            let names = names.chain(argument.get_all_aliases().unwrap_or_default());
            own.long.extend(names.map(|name| named((name, takes))));
            own.short
                .extend(argument.get_short().map(|name| (name, takes)));
        }
        // What `log-level` and `config-file` mean is for pytest to say: the names are aliases for
        // variables and files.
        own.long
            .retain(|name, _| !matches!(name.as_str(), "log-level" | "config-file"));
        own
    }
}

fn named((name, takes): (&str, bool)) -> (String, bool) {
    (name.to_owned(), takes)
}

/// Rewrites a command line, program name first, preceded by those of the project and of
/// `PYTEST_ADDOPTS`.
pub fn rewrite(
    words: impl IntoIterator<Item = OsString>,
    own: &OwnOptions,
    variables: &RunVariables,
) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut rewriter = WordRewriter {
        own,
        source: WordSource::Project,
        rewritten: words.next().into_iter().collect(),
        after_unknown: false,
        effects: RunEffects::default(),
    };
    // pytest itself says what is wrong with the variable.
    let variable = shlex::split(&variables.added).unwrap_or_default();
    for (source, added) in [
        (WordSource::Project, variables.project.clone()),
        (WordSource::Variable, variable),
    ] {
        rewriter.source = source;
        rewriter.after_unknown = false;
        let mut added = added.into_iter().map(OsString::from);
        while let Some(word) = added.next() {
            rewriter.word(word, &mut added);
        }
    }
    rewriter.processes(variables);
    rewriter.source = WordSource::CommandLine;
    rewriter.after_unknown = false;
    while let Some(word) = words.next() {
        if word == "--" {
            rewriter.effects(variables);
            rewriter.rewritten.push(word);
            rewriter.rewritten.extend(words);
            return rewriter.rewritten;
        }
        rewriter.word(word, &mut words);
    }
    rewriter.effects(variables);
    rewriter.rewritten
}

/// The variables and settings of pytest that concern the whole run.
#[derive(Clone, Debug, Default)]
pub struct RunVariables {
    /// The words of `addopts` in the project's configuration file.
    pub project: Vec<String>,
    /// `PYTEST_ADDOPTS`.
    pub added: String,
    /// `PYTEST_XDIST_AUTO_NUM_WORKERS`: the number that `-n auto` means.
    pub automatic: Option<u32>,
    /// The number of CPUs.
    pub cpus: u32,
}

/// The effects of pytest's flags on the whole run.
#[derive(Debug, Default)]
struct RunEffects {
    /// The value of `-n`.
    processes: Option<String>,
    /// The value of `--maxprocesses`.
    processes_max: Option<u32>,
    /// The number of `-v`, less that of `-q`.
    verbosity: i64,
    /// Whether passing tests' output is shown.
    passing_output: bool,
    /// Whether the user names a user interface.
    names_ui: bool,
    /// Whether pytest's list of the slowest phases takes the place of the list of the slowest tests.
    lists_durations: bool,
    /// Whether the user says how long the list of the slowest tests is.
    names_slowest: bool,
}

/// Where a word comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WordSource {
    CommandLine,
    /// `PYTEST_ADDOPTS`.
    Variable,
    /// `addopts`.
    Project,
}

struct WordRewriter<'a> {
    own: &'a OwnOptions,
    source: WordSource,
    rewritten: Vec<OsString>,
    /// Whether the next word may be the value of an option that nobody here knows.
    after_unknown: bool,
    effects: RunEffects,
}

impl WordRewriter<'_> {
    fn word(&mut self, word: OsString, following: &mut impl Iterator<Item = OsString>) {
        let bytes = word.as_bytes();
        if !bytes.starts_with(b"-") || bytes == b"-" {
            let role = match self.after_unknown {
                true => WordRole::Always,
                false => WordRole::Path,
            };
            return self.push(role, word);
        }
        self.after_unknown = false;
        let Some(text) = word.to_str() else {
            return self.unknown(word);
        };
        match text.strip_prefix("--") {
            Some(_) => {
                let (spelling, value) = match text.split_once('=') {
                    Some((spelling, value)) => (spelling, Some(OsString::from(value))),
                    None => (text, None),
                };
                let (spelling, word) = (spelling.to_owned(), word.clone());
                self.option(&spelling, value, word, following);
            }
            None => self.letters(text.get(1..).unwrap_or_default().to_owned(), following),
        }
    }

    /// Takes letters behind one dash: switches, the last of which may be an option with its value.
    fn letters(&mut self, letters: String, following: &mut impl Iterator<Item = OsString>) {
        let mut rest = letters.as_str();
        while let Some(letter) = rest.chars().next() {
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            let spelling = format!("-{letter}");
            let takes = match (self.own.short.get(&letter), flag(&spelling)) {
                (Some(takes), _) if self.source == WordSource::CommandLine => *takes,
                (_, Some(flag)) => flag.value.is_some(),
                (_, None) => return self.unknown(format!("{spelling}{rest}").into()),
            };
            let word = match takes {
                true => format!("{spelling}{rest}"),
                false => spelling.clone(),
            };
            let value = rest.strip_prefix('=').unwrap_or(rest);
            let value = (takes && !rest.is_empty()).then(|| OsString::from(value));
            self.option(&spelling, value, word.into(), following);
            if takes {
                return;
            }
        }
    }

    /// Takes an option: `word` is its spelling, with its value if that is not a word of its own.
    fn option(
        &mut self,
        spelling: &str,
        value: Option<OsString>,
        word: OsString,
        following: &mut impl Iterator<Item = OsString>,
    ) {
        let known = flag(spelling);
        if let Some(canonical) = known.and_then(|flag| flag.spellings.first())
            && self.concerns_run(canonical, spelling, value.as_deref(), following)
        {
            return;
        }
        let own = match spelling.strip_prefix("--") {
            Some(long) => self.own.long.get(long),
            None => spelling
                .chars()
                .nth(1)
                .and_then(|short| self.own.short.get(&short)),
        };
        match (own, known) {
            (Some(takes), _) if self.source == WordSource::CommandLine => {
                match spelling {
                    "--ui" | "--no-tui" => self.effects.names_ui = true,
                    "--slowest" => self.effects.names_slowest = true,
                    // The last one counts.
                    "--slots" => self.effects.processes = None,
                    _ => {}
                }
                let value = match takes {
                    true => value.or_else(|| following.next()),
                    false => None,
                };
                let mut whole = OsString::from(spelling);
                if let Some(value) = value {
                    whole.push("=");
                    whole.push(value);
                } else if !takes {
                    // A value that it does not take is an error of the command line.
                    whole = word;
                }
                self.rewritten.push(whole);
            }
            (_, Some(flag)) => self.of_pytest(flag, spelling, value, word, following),
            (_, None) => {
                self.unknown(word);
                self.after_unknown = value.is_none();
            }
        }
    }

    /// Takes a flag of pytest's that has its effect here. Returns whether nothing else is to be done.
    fn concerns_run(
        &mut self,
        canonical: &str,
        spelling: &str,
        value: Option<&OsStr>,
        following: &mut impl Iterator<Item = OsString>,
    ) -> bool {
        let text = value.map(|value| value.to_string_lossy().into_owned());
        match canonical {
            "--numprocesses" => {
                let value = text.or_else(|| following.next()?.into_string().ok());
                self.effects.processes = Some(value.unwrap_or_default());
                true
            }
            "--maxprocesses" => {
                let value = text.or_else(|| following.next()?.into_string().ok());
                self.effects.processes_max = value.and_then(|value| value.parse().ok());
                true
            }
            "--color" => {
                let value = text.or_else(|| following.next()?.into_string().ok());
                let value = match value.as_deref() {
                    Some("yes") => "always".to_owned(),
                    Some("no") => "never".to_owned(),
                    other => other.unwrap_or_default().to_owned(),
                };
                self.own_word(format!("--color={value}"));
                true
            }
            "--quiet" => {
                self.effects.verbosity -= 1;
                self.push(WordRole::Always, spelling.into());
                true
            }
            "--verbose" => {
                self.effects.verbosity += 1;
                false
            }
            "-s" => {
                self.effects.passing_output = true;
                false
            }
            "--durations" => {
                self.effects.lists_durations = true;
                false
            }
            // Its only use is for runs: pytest reads it in the variable and the project's file.
            "--last-failed" | "--collect-only" if self.source != WordSource::CommandLine => {
                self.rewritten.push(match canonical {
                    "--last-failed" => "--failed".into(),
                    _ => "--list".into(),
                });
                true
            }
            _ => false,
        }
    }

    /// Takes a flag of pytest's.
    fn of_pytest(
        &mut self,
        flag: &PeerFlag,
        spelling: &str,
        value: Option<OsString>,
        word: OsString,
        following: &mut impl Iterator<Item = OsString>,
    ) {
        let canonical = flag.spellings.first().copied().unwrap_or(spelling);
        let is_apart = flag.value.is_some() && value.is_none();
        let next = if is_apart { following.next() } else { None };
        let value = value.or_else(|| next.clone());
        let text = value.unwrap_or_default().to_string_lossy().into_owned();
        match flag.support {
            // What matters of these is reported with the collection.
            PeerSupport::Refused(_) if self.source == WordSource::Project => return,
            PeerSupport::Refused(_) => {
                return self
                    .rewritten
                    .push(format!("--{REFUSED}={spelling}").into());
            }
            PeerSupport::NoEffect(_) => return,
            PeerSupport::Same | PeerSupport::Differs(_) => {}
        }
        let role = match canonical {
            _ if SELECTING.contains(&canonical) => WordRole::Collecting,
            _ => WordRole::Always,
        };
        match canonical {
            "--last-failed-no-failures" => {
                if text != "all" {
                    let refused = format!("--{REFUSED}={spelling}");
                    self.rewritten.push(refused.into());
                }
            }
            "--stepwise" | "--stepwise-reset" => self.push(role, "--maxfail=1".into()),
            "--stepwise-skip" => self.push(role, "--maxfail=2".into()),
            _ => {
                self.effects.passing_output |= match canonical {
                    "--capture" => matches!(text.as_str(), "no" | "tee-sys"),
                    "--report-chars" => text.contains(['A', 'P']),
                    // What they print is of use only if it is shown.
                    "--log-cli-level" | "--setup-show" => true,
                    _ => false,
                };
                if canonical == "--verbosity" {
                    self.effects.verbosity = text.parse().unwrap_or_default();
                }
                self.push(role, word);
                if let Some(next) = next {
                    self.push(role, next);
                }
            }
        }
    }

    fn unknown(&mut self, word: OsString) {
        self.push(WordRole::Always, word);
        self.after_unknown = true;
    }

    fn push(&mut self, role: WordRole, text: OsString) {
        // pytest itself reads the variable and the project's file.
        if self.source == WordSource::CommandLine {
            self.rewritten.push(PytestWord { role, text }.written());
        }
    }

    fn own_word(&mut self, word: String) {
        self.rewritten.push(word.into());
    }

    /// Adds the options for the whole run.
    fn effects(&mut self, variables: &RunVariables) {
        self.processes(variables);
        let effects = std::mem::take(&mut self.effects);
        if effects.verbosity < 0 && !effects.names_ui {
            self.own_word("--quiet".to_owned());
        }
        if effects.lists_durations && !effects.names_slowest {
            self.own_word("--slowest=0".to_owned());
        }
        if effects.passing_output {
            self.own_word(format!("--{PASSING_OUTPUT}"));
        }
    }

    /// Adds the number of tests to run at a time.
    fn processes(&mut self, variables: &RunVariables) {
        let limit = self.effects.processes_max;
        match self.effects.processes.take().as_deref() {
            Some("auto" | "logical") => {
                let number = variables.automatic.unwrap_or(variables.cpus);
                let number = number.min(limit.unwrap_or(u32::MAX)).max(1);
                self.own_word(format!("--slots={number}"));
            }
            // pytest-xdist then starts no process beside pytest's own, which runs the tests one by
            // one.
            Some("0") => self.own_word("--slots=1".to_owned()),
            Some(number) => self.own_word(format!("--slots={number}")),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
