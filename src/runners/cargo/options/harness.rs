//! Arguments after `--`, which `cargo test` passes to the test binaries.
//!
//! libtest's options that select tests or limit their concurrency are interpreted here, because
//! each test binary runs a single test. The others are passed through. The value of an option that
//! is unknown here can't be distinguished from a test name in the next word: `--option=word` is
//! unambiguous.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;

use miette::Diagnostic;

use crate::cargo::peer_flags::LIBTEST;
use crate::peers::PeerSupport;

/// The arguments after `--`, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HarnessArguments {
    /// Names, or parts of names, of tests to run.
    pub names: Vec<String>,
    /// Names, or parts of names, of tests to exclude.
    pub skip: Vec<String>,
    /// Other interpreted arguments, without duplicates.
    pub flags: Vec<HarnessFlag>,
    /// The number of tests to run at a time.
    pub test_threads: Option<NonZeroU32>,
    /// Arguments that are passed to the test binaries.
    pub extra: Vec<OsString>,
}

/// A flag of libtest that is interpreted instead of passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HarnessFlag {
    Exact,
    Ignored,
    IncludeIgnored,
    List,
    /// `--nocapture` and its equivalent: show the output of tests while they run.
    NoCapture,
    /// Show the output of passing tests.
    ShowOutput,
    /// Stop after the first failure.
    FailFast,
    /// `--format json`: print the results as JSON.
    Json,
}

/// The error of an argument after `--`.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
pub enum HarnessError {
    /// An option without its value.
    #[error("`{option}` (after `--`) needs a value")]
    ValueMissing { option: String },
    /// `--test-threads` with a value that is not a positive number.
    #[error("`--test-threads` (after `--`) needs a positive number, not `{value}`")]
    TestThreads {
        /// The value of the option.
        value: String,
    },
    /// An argument with which a test binary runs no test, and succeeds.
    #[error("`{argument}` (after `--`) would keep the test binaries from running tests")]
    #[diagnostic(help("run the test binary itself to see its help"))]
    RunsNothing { argument: String },
    /// An argument that cannot mean the same here.
    #[error("`{argument}` (after `--`) is not supported")]
    #[diagnostic(help("{instead}"))]
    Refused {
        argument: String,
        /// What to use instead.
        instead: &'static str,
    },
    /// A test name that is not UTF-8.
    #[error("`{name}` (after `--`) is not UTF-8, which the name of a test always is")]
    NotUtf8 {
        /// The name, with invalid bytes replaced.
        name: String,
    },
}

/// Options of libtest whose value may be the next argument.
const PASSED_WITH_VALUE: [&str; 4] = ["--color", "--format", "--shuffle-seed", "-Z"];

impl HarnessArguments {
    /// Parses the arguments after `--`.
    pub fn read(arguments: &[OsString]) -> Result<HarnessArguments, HarnessError> {
        let mut read = HarnessArguments::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some(text) = argument.to_str() else {
                read.take_binary(argument)?;
                continue;
            };
            let (option, value) = match text.split_once('=') {
                // Only long options take values after `=`: a test name may contain `=`.
                Some((option, value)) if text.starts_with("--") => (option, Some(value)),
                Some(_) | None => (text, None),
            };
            match option {
                "--exact" => read.flag(HarnessFlag::Exact),
                "--ignored" => read.flag(HarnessFlag::Ignored),
                "--include-ignored" => read.flag(HarnessFlag::IncludeIgnored),
                "--list" => read.flag(HarnessFlag::List),
                "--nocapture" | "--no-capture" => read.flag(HarnessFlag::NoCapture),
                "--show-output" => read.flag(HarnessFlag::ShowOutput),
                "--fail-fast" => read.flag(HarnessFlag::FailFast),
                "--format" if value.or_else(|| next_text(&rest)) == Some("json") => {
                    if value.is_none() {
                        rest.next();
                    }
                    read.flag(HarnessFlag::Json);
                }
                "--help" | "-h" => {
                    return Err(HarnessError::RunsNothing {
                        argument: text.to_owned(),
                    });
                }
                "--skip" => read.skip.push(value_of(option, value, &mut rest)?),
                "--test-threads" => {
                    let value = value_of(option, value, &mut rest)?;
                    let threads = value
                        .parse()
                        .map_err(|_| HarnessError::TestThreads { value })?;
                    read.test_threads = Some(threads);
                }
                _ if value.is_none() && PASSED_WITH_VALUE.contains(&option) => {
                    read.extra.push(argument.clone());
                    read.extra.extend(rest.next().cloned());
                }
                _ if option.starts_with('-') => match refusal(option) {
                    None => read.extra.push(argument.clone()),
                    Some(instead) => {
                        let argument = option.to_owned();
                        return Err(HarnessError::Refused { argument, instead });
                    }
                },
                _ => read.names.push(text.to_owned()),
            }
        }
        Ok(read)
    }

    /// Returns whether a flag was given.
    pub fn has(&self, flag: HarnessFlag) -> bool {
        self.flags.contains(&flag)
    }

    fn flag(&mut self, flag: HarnessFlag) {
        if !self.has(flag) {
            self.flags.push(flag);
        }
    }

    fn take_binary(&mut self, argument: &OsStr) -> Result<(), HarnessError> {
        if argument.as_encoded_bytes().starts_with(b"-") {
            self.extra.push(argument.to_owned());
            return Ok(());
        }
        Err(HarnessError::NotUtf8 {
            name: argument.to_string_lossy().into_owned(),
        })
    }
}

/// Returns what to use instead of an option of libtest that is refused.
fn refusal(option: &str) -> Option<&'static str> {
    match LIBTEST.flag(option)?.support {
        PeerSupport::Refused(instead) => Some(instead),
        PeerSupport::Same | PeerSupport::Differs(_) | PeerSupport::NoEffect(_) => None,
    }
}

fn next_text<'a>(rest: &std::slice::Iter<'a, OsString>) -> Option<&'a str> {
    rest.as_slice().first()?.to_str()
}

fn value_of<'a>(
    option: &str,
    inline: Option<&str>,
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Result<String, HarnessError> {
    if let Some(value) = inline {
        return Ok(value.to_owned());
    }
    let value = rest.next().ok_or_else(|| HarnessError::ValueMissing {
        option: option.to_owned(),
    })?;
    value
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| HarnessError::NotUtf8 {
            name: value.to_string_lossy().into_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<HarnessArguments, HarnessError> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        HarnessArguments::read(&arguments)
    }

    #[test]
    fn what_selects_is_understood_and_the_rest_passed_on() {
        let read = read(&[
            "alpha",
            "--skip",
            "slow",
            "--skip=net=work",
            "--exact",
            "--ignored",
            "--ignored",
            "--test-threads=3",
            "--nocapture",
            "--color",
            "always",
            "-Zunstable-options",
            "--mine=x",
            "beta::gamma",
        ])
        .unwrap();
        assert_eq!(read.names, ["alpha", "beta::gamma"]);
        assert_eq!(read.skip, ["slow", "net=work"]);
        assert_eq!(
            read.flags,
            [
                HarnessFlag::Exact,
                HarnessFlag::Ignored,
                HarnessFlag::NoCapture
            ]
        );
        assert_eq!(read.test_threads, NonZeroU32::new(3));
        assert_eq!(
            read.extra,
            ["--color", "always", "-Zunstable-options", "--mine=x"]
        );
    }

    #[test]
    fn json_is_not_the_test_binaries_business() {
        for words in [&["--format", "json", "x"][..], &["--format=json", "x"]] {
            let read = read(words).unwrap();
            assert!(read.has(HarnessFlag::Json) && read.extra.is_empty());
            assert_eq!(read.names, ["x"]);
        }
        let read = read(&["--format", "terse", "--fail-fast"]).unwrap();
        assert_eq!(read.extra, ["--format", "terse"]);
        assert_eq!(read.flags, [HarnessFlag::FailFast]);
    }

    #[test]
    fn a_test_name_may_hold_an_equals_sign() {
        assert_eq!(read(&["case::a=b"]).unwrap().names, ["case::a=b"]);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |arguments: &[&str]| read(arguments).unwrap_err().to_string();
        assert_eq!(message(&["--skip"]), "`--skip` (after `--`) needs a value");
        assert_eq!(
            message(&["--test-threads", "0"]),
            "`--test-threads` (after `--`) needs a positive number, not `0`"
        );
        assert_eq!(
            message(&["x", "-h"]),
            "`-h` (after `--`) would keep the test binaries from running tests"
        );
        for option in ["--logfile", "--logfile=x", "--exclude-should-panic"] {
            let message = message(&[option, "x"]);
            assert!(message.contains("is not supported"), "{message}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_pass_only_as_options() {
        use std::os::unix::ffi::OsStringExt;
        let option = OsString::from_vec(b"--file=\xff".to_vec());
        let name = OsString::from_vec(b"\xff".to_vec());
        let read = HarnessArguments::read(std::slice::from_ref(&option)).unwrap();
        assert_eq!(read.extra, [option]);
        assert!(matches!(
            HarnessArguments::read(&[name]),
            Err(HarnessError::NotUtf8 { .. })
        ));
    }
}
