//! Handles pytest's options that concern a whole session: each is applied, rejected, or reported as
//! having no effect. Also sets up the environment of a virtual environment. Pure.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::Path;

use crate::sandbox::invocation::ProcessEnvironment;
use maelstrom_model::event::{NoticeSeverity, UserNotice};

use super::collection::SessionOption;
use super::error::PytestError;

/// The effects of a session's options.
#[derive(Debug, Default)]
pub struct SessionSettings {
    /// The number of failures after which the run stops.
    pub stop_after: Option<NonZeroU32>,
    /// Notices about options without effect.
    pub notices: Vec<UserNotice>,
}

/// Returns the help text about an option's replacement in Maelstrom.
fn instead(option: &str) -> &'static str {
    match option {
        "--collect-only" => "--list prints the tests",
        "--junitxml" | "--html" | "--json-report" | "--report-log" => {
            "--record=FILE writes what happens; for this report run pytest itself"
        }
        "--pdb" | "--trace" => {
            "a failure's last line says how to look around in its container; to debug, run pytest \
             itself"
        }
        "--last-failed" | "--stepwise" => {
            "the failures' last line says how to run them again, and --stop-after stops early"
        }
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

/// Returns the effects of these options. Returns an error for options that run no tests or run them
/// interactively, and for unsupported options on the command line. Unsupported options in
/// `addopts`, which is for pytest itself, only lead to a notice.
pub fn session_settings(settled: &[SessionOption]) -> Result<SessionSettings, PytestError> {
    let mut heeded = SessionSettings::default();
    for SessionOption {
        option,
        value,
        typed,
    } in settled
    {
        if option == "--maxfail" {
            // 0 means no limit for pytest, and does not parse as a `NonZeroU32`.
            heeded.stop_after = value.parse().ok();
            continue;
        }
        if *typed || RUN_NOTHING.contains(&option.as_str()) {
            return Err(PytestError::Session {
                option: option.clone(),
                place: match typed {
                    true => "",
                    false => " of the project's `addopts`",
                },
                instead: instead(option),
            });
        }
        heeded.notices.push(UserNotice {
            severity: NoticeSeverity::Warning,
            text: format!("{option} of the project's `addopts` has no effect here"),
            help: Some(instead(option).to_owned()),
            in_summary: true,
        });
    }
    Ok(heeded)
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

    #[test]
    fn each_option_is_done_or_refused_or_told() {
        for typed in [true, false] {
            let heeded = session_settings(&[session_option("--maxfail", "3", typed)]).unwrap();
            assert_eq!(heeded.stop_after, NonZeroU32::new(3));
            for option in RUN_NOTHING {
                let error = session_settings(&[session_option(option, "True", typed)]).unwrap_err();
                assert!(error.to_string().contains(option), "{error}");
            }
        }
        for option in ["--junitxml", "--html", "--last-failed"] {
            assert!(session_settings(&[session_option(option, "x", true)]).is_err());
            let notices = session_settings(&[session_option(option, "x", false)])
                .unwrap()
                .notices;
            assert!(notices[0].text.starts_with(option));
        }
        assert!(session_settings(&[]).unwrap().notices.is_empty());
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
