//! Handles pytest's options that concern a whole session: each is applied, rejected, or reported as
//! having no effect. Also sets up the environment of a virtual environment. Pure.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::Path;

use crate::sandbox::invocation::ProcessEnvironment;
use maelstrom_model::event::{NoticeSeverity, UserNotice};

use super::collection::SessionOption;
use super::durations::DurationLimits;
use super::error::PytestError;
use super::warnings::WarningReports;

/// The effects of a session's options.
#[derive(Debug, Default)]
pub struct SessionSettings {
    /// The number of failures after which the run stops.
    pub stop_after: Option<NonZeroU32>,
    /// The slowest phases to report.
    pub durations: Option<DurationLimits>,
    /// Whether warnings are reported.
    pub warnings: WarningReports,
    /// Notices about options without effect.
    pub notices: Vec<UserNotice>,
}

/// Returns the help text about an option's replacement in Maelstrom.
fn instead(option: &str) -> &'static str {
    match option {
        "--collect-only" => "--list prints the tests",
        "--html" | "--json-report" | "--report-log" => {
            "--junitxml=FILE writes a report, and --record=FILE what happens; for this one run \
             pytest itself"
        }
        "--pdb" | "--trace" => {
            "`--tty NODEID -- --pdb` runs one test on the terminal, in its container"
        }
        "--last-failed" => "name it on the command line, or use --failed",
        _ => "run pytest itself for that",
    }
}

/// Options with which pytest runs no tests, or runs them interactively.
const RUN_NOTHING: [&str; 5] = [
    "--collect-only",
    "--pdb",
    "--trace",
    "--setup-only",
    "--setup-plan",
];

/// The parts of a run's settings that options of the session may repeat.
#[derive(Clone, Copy, Debug)]
pub struct KnownSettings {
    /// Whether only the tests that failed in the last run are selected.
    pub failed_only: bool,
    /// Whether one test runs on the terminal.
    pub is_interactive: bool,
}

/// Returns the effects of these options. Returns an error for options that run no tests or run them
/// interactively, and for unsupported options on the command line. Unsupported options in
/// `addopts`, which is for pytest itself, only lead to a notice.
pub fn session_settings(
    settled: &[SessionOption],
    known: KnownSettings,
) -> Result<SessionSettings, PytestError> {
    let mut heeded = SessionSettings::default();
    for SessionOption {
        option,
        value,
        typed,
    } in settled
    {
        match option.as_str() {
            // 0 means no limit for pytest, and does not parse as a `NonZeroU32`.
            "--maxfail" => heeded.stop_after = value.parse().ok(),
            "--stepwise" => heeded.stop_after = Some(NonZeroU32::MIN),
            "--durations" => heeded.durations = DurationLimits::read(value),
            "--disable-warnings" => heeded.warnings = WarningReports::Hidden,
            // The number of slots, unless the command line has another.
            "--numprocesses" => {}
            "--cov" => heeded.notices.push(notice(
                "--cov measures nothing here: files that tests write are discarded with their \
                 containers"
                    .to_owned(),
                "run pytest itself to measure coverage",
            )),
            "--last-failed" if known.failed_only => {}
            "--pdb" | "--trace" if known.is_interactive => {}
            _ if *typed || RUN_NOTHING.contains(&option.as_str()) => {
                return Err(PytestError::Session {
                    option: option.clone(),
                    place: match typed {
                        true => "",
                        false => " of the project's `addopts`",
                    },
                    instead: instead(option),
                });
            }
            _ => heeded.notices.push(notice(
                format!("{option} of the project's `addopts` has no effect here"),
                instead(option),
            )),
        }
    }
    Ok(heeded)
}

fn notice(text: String, help: &str) -> UserNotice {
    UserNotice {
        severity: NoticeSeverity::Warning,
        text,
        help: Some(help.to_owned()),
        in_summary: true,
    }
}

/// Changes the environment to activate a virtual environment, like its `activate` script.
pub fn activate(environment: &mut ProcessEnvironment, prefix: &Path) {
    let mut path = prefix.join("bin").into_os_string();
    if let Some(before) = environment.get(&OsString::from("PATH")) {
        path.push(":");
        path.push(before);
    }
    environment.insert("PATH".into(), path);
    environment.insert("VIRTUAL_ENV".into(), prefix.into());
    environment.remove(&OsString::from("PYTHONHOME"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session_option(option: &str, value: &str, typed: bool) -> SessionOption {
        SessionOption {
            option: option.to_owned(),
            value: value.to_owned(),
            typed,
        }
    }

    fn settings(option: SessionOption) -> Result<SessionSettings, PytestError> {
        let known = KnownSettings {
            failed_only: false,
            is_interactive: false,
        };
        session_settings(&[option], known)
    }

    #[test]
    fn each_option_is_done_or_refused_or_told() {
        for typed in [true, false] {
            let done = |option: &str, value: &str| {
                let heeded = settings(session_option(option, value, typed)).unwrap();
                assert!(heeded.notices.is_empty(), "{option}");
                heeded
            };
            assert_eq!(done("--maxfail", "3").stop_after, NonZeroU32::new(3));
            assert_eq!(done("--maxfail", "0").stop_after, None);
            assert_eq!(done("--stepwise", "True").stop_after, NonZeroU32::new(1));
            assert!(done("--durations", "0 0.005").durations.is_some());
            let hidden = done("--disable-warnings", "True").warnings;
            assert_eq!(hidden, WarningReports::Hidden);
            for number in ["auto", "logical", "4", "2"] {
                done("--numprocesses", number);
            }
            for option in RUN_NOTHING {
                let error = settings(session_option(option, "True", typed)).unwrap_err();
                assert!(error.to_string().contains(option), "{error}");
            }
            let told = settings(session_option("--cov", "['src']", typed)).unwrap();
            assert!(told.notices[0].text.starts_with("--cov measures nothing"));
        }
        for option in ["--html", "--json-report", "--last-failed"] {
            assert!(settings(session_option(option, "x", true)).is_err());
            let notices = settings(session_option(option, "x", false))
                .unwrap()
                .notices;
            assert!(notices[0].text.starts_with(option));
        }
        let failed = KnownSettings {
            failed_only: true,
            is_interactive: true,
        };
        let debugged = [session_option("--pdb", "True", true)];
        assert!(session_settings(&debugged, failed).is_ok());
        let last = [session_option("--last-failed", "True", false)];
        assert!(session_settings(&last, failed).unwrap().notices.is_empty());
    }

    #[test]
    fn an_activated_environment_comes_first_on_the_search_path() {
        let mut environment = ProcessEnvironment::from([("PATH".into(), "/bin".into())]);
        activate(&mut environment, Path::new("/w/.venv"));
        let found = |name: &str| environment[&OsString::from(name)].to_str().unwrap();
        assert_eq!(found("PATH"), "/w/.venv/bin:/bin");
        assert_eq!(found("VIRTUAL_ENV"), "/w/.venv");
    }
}
