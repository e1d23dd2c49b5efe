//! Chooses the user interface of a run.

use std::io::IsTerminal;

use miette::Diagnostic;

use super::terminal;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UiChoice {
    /// The dashboard where there is a person at a terminal, else plain lines.
    #[default]
    Auto,
    /// The interactive dashboard.
    #[value(alias = "fancy")]
    #[serde(alias = "fancy")]
    Dashboard,
    /// A line for each test.
    #[value(alias = "simple")]
    #[serde(alias = "simple")]
    Plain,
    /// The failures and the summary.
    Quiet,
}

/// What a run gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UiKind {
    /// The interactive dashboard.
    Dashboard,
    /// A line for each test.
    Plain,
    /// The failures and the summary.
    Quiet,
}

/// What the choice depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalEnvironment {
    /// Standard input is a terminal.
    pub stdin_is_terminal: bool,
    /// Standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// `CI` is set.
    pub is_ci: bool,
    /// The process is in the foreground of its terminal.
    pub is_foreground: bool,
}

/// What is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UiPurpose {
    /// A run.
    Run,
    /// A list of what could be run.
    List,
}

/// Why what was asked for cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Diagnostic, thiserror::Error)]
pub enum ChoiceError {
    /// Here there can be no dashboard.
    #[error("the dashboard cannot be shown: {reason}")]
    #[diagnostic(help("--ui=plain prints lines"))]
    NoDashboard {
        /// Why.
        reason: &'static str,
    },
    /// Lists are plain lines.
    #[error("a list is plain lines: {instead} cannot show it")]
    #[diagnostic(help("leave out what chooses the user interface, or say --ui=auto"))]
    List {
        /// What cannot.
        instead: &'static str,
    },
}

impl ProgramError for ChoiceError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl TerminalEnvironment {
    /// This process's.
    pub fn of_process() -> Self {
        TerminalEnvironment {
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            term: std::env::var("TERM").ok(),
            is_ci: std::env::var_os("CI").is_some(),
            is_foreground: terminal::is_foreground(),
        }
    }

    /// Why a dashboard cannot work here, if it cannot.
    fn obstacle(&self) -> Option<&'static str> {
        if !self.stdin_is_terminal {
            Some("standard input is not a terminal")
        } else if !self.stdout_is_terminal {
            Some("standard output is not a terminal")
        } else if self
            .term
            .as_deref()
            .is_none_or(|term| matches!(term, "" | "dumb"))
        {
            Some("TERM is not set, or \"dumb\"")
        } else if !self.is_foreground {
            Some("the program runs in the background")
        } else {
            None
        }
    }
}

/// Decides. Without a wish, a dashboard is shown where a person watches and it can work; wished
/// for where it cannot work, it is an error that says why.
pub fn choose_ui(
    wish: UiChoice,
    purpose: UiPurpose,
    surroundings: &TerminalEnvironment,
) -> Result<UiKind, ChoiceError> {
    match (purpose, wish) {
        (_, UiChoice::Plain) | (UiPurpose::List, UiChoice::Auto) => Ok(UiKind::Plain),
        (UiPurpose::Run, UiChoice::Quiet) => Ok(UiKind::Quiet),
        (UiPurpose::Run, UiChoice::Dashboard) => match surroundings.obstacle() {
            None => Ok(UiKind::Dashboard),
            Some(reason) => Err(ChoiceError::NoDashboard { reason }),
        },
        (UiPurpose::Run, UiChoice::Auto) => match surroundings.obstacle() {
            None if !surroundings.is_ci => Ok(UiKind::Dashboard),
            None | Some(_) => Ok(UiKind::Plain),
        },
        (UiPurpose::List, UiChoice::Dashboard) => Err(ChoiceError::List {
            instead: "the dashboard",
        }),
        (UiPurpose::List, UiChoice::Quiet) => Err(ChoiceError::List {
            instead: "the quiet report",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> TerminalEnvironment {
        TerminalEnvironment {
            stdin_is_terminal: true,
            stdout_is_terminal: true,
            term: Some("xterm".to_owned()),
            is_ci: false,
            is_foreground: true,
        }
    }

    #[test]
    fn a_dashboard_opens_only_where_a_person_watches() {
        assert_eq!(
            choose_ui(UiChoice::Auto, UiPurpose::Run, &person()),
            Ok(UiKind::Dashboard)
        );
        let mut others = vec![person(); 6];
        others[0].stdin_is_terminal = false;
        others[1].stdout_is_terminal = false;
        others[2].term = None;
        others[3].term = Some("dumb".to_owned());
        others[4].is_ci = true;
        others[5].is_foreground = false;
        for other in &others {
            assert_eq!(
                choose_ui(UiChoice::Auto, UiPurpose::Run, other),
                Ok(UiKind::Plain),
                "{other:?}"
            );
        }
        assert_eq!(
            choose_ui(UiChoice::Dashboard, UiPurpose::Run, &others[4]),
            Ok(UiKind::Dashboard)
        );
        assert!(choose_ui(UiChoice::Dashboard, UiPurpose::Run, &others[1]).is_err());
        assert_eq!(
            choose_ui(UiChoice::Quiet, UiPurpose::Run, &person()),
            Ok(UiKind::Quiet)
        );
    }

    #[test]
    fn a_list_is_plain_lines() {
        for wish in [UiChoice::Auto, UiChoice::Plain] {
            assert_eq!(
                choose_ui(wish, UiPurpose::List, &person()),
                Ok(UiKind::Plain)
            );
        }
        for wish in [UiChoice::Dashboard, UiChoice::Quiet] {
            let refused = choose_ui(wish, UiPurpose::List, &person());
            assert!(matches!(refused, Err(ChoiceError::List { .. })), "{wish:?}");
        }
    }

    #[test]
    fn the_older_names_are_understood() {
        use clap::ValueEnum;
        assert_eq!(UiChoice::from_str("fancy", false), Ok(UiChoice::Dashboard));
        assert_eq!(UiChoice::from_str("simple", false), Ok(UiChoice::Plain));
    }
}
