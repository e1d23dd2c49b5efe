//! The options for the user interface and reports, which all programs share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use maelstrom_spec::config::{ConfigOption, ConfigOptionKind};

/// The options of [`ReportOptions`] that can also be set by variables and configuration files.
pub const REPORT_VALUES: [ConfigOption; 10] = [
    ConfigOption::new("ui", ConfigOptionKind::Text),
    ConfigOption::new("quiet", ConfigOptionKind::Boolean),
    ConfigOption::new("no-tui", ConfigOptionKind::Boolean),
    ConfigOption::new("on-finish", ConfigOptionKind::Text),
    ConfigOption::new("color", ConfigOptionKind::Text),
    ConfigOption::new("style", ConfigOptionKind::Text),
    ConfigOption::new("slowest", ConfigOptionKind::Number),
    ConfigOption::new("terminal", ConfigOptionKind::Text),
    ConfigOption::new("junit", ConfigOptionKind::Text),
    ConfigOption::new("github", ConfigOptionKind::Text),
];

/// The user interface, and what it reports.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reporting")]
pub struct ReportOptions {
    /// The user interface
    #[arg(long, value_name = "UI", value_enum, conflicts_with_all = ["no_tui", "quiet"])]
    pub ui: Option<UiOption>,

    /// Print one line per test instead of showing the dashboard; the same as --ui=plain
    #[arg(long, conflicts_with = "quiet")]
    pub no_tui: bool,

    /// Print only failures and the summary; the same as --ui=quiet
    #[arg(short, long)]
    pub quiet: bool,

    /// What is printed for each test; also turns the dashboard off
    #[arg(long, value_name = "STYLE", value_enum, conflicts_with_all = ["ui", "quiet"])]
    pub style: Option<StyleOption>,

    /// Number of tests in the list of the slowest at the end; 0 means none [default: 5, of those
    /// that take a second or longer]
    #[arg(long, value_name = "N")]
    pub slowest: Option<u32>,

    /// What to do with a terminal besides showing the run: `auto`, `none`, or a list of title,
    /// progress, links, bell, notification [default: auto, which is title and progress on terminals
    /// that are known to have them]
    #[arg(long, value_name = "FEATURES", value_parser = terminal_features)]
    pub terminal: Option<TerminalOption>,

    /// What the dashboard does when the run ends
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub on_finish: OnFinishOption,

    /// When to use colors
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: ColorOption,

    /// Theme of the dashboard: dark, light, monochrome, or the path of a theme file [default: the
    /// theme in ui.toml, else the one that fits the terminal's background]
    #[arg(long, value_name = "THEME")]
    pub theme: Option<String>,

    /// Record the run in this file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Whether lines are written for GitHub Actions: annotations, groups and the step summary
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub github: GithubOption,

    /// Replay a recorded run instead of running tests
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record", "watch"])]
    pub replay: Option<PathBuf>,

    /// Speed of --replay in the dashboard, as a multiple of the recorded run's speed
    #[arg(long, value_name = "TIMES", requires = "replay", default_value_t = 1.0, value_parser = speed)]
    pub replay_speed: f64,

    /// Build and run again whenever a file of the project changes, until you press `^C` or `q`
    #[arg(short, long)]
    pub watch: bool,

    /// A directory of reports, which is made if a report in it is written.
    #[arg(skip)]
    pub junit_store: Option<PathBuf>,
}

/// What to do with a terminal besides showing the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalOption {
    /// What the terminal is known to handle.
    Auto,
    /// These features; none if the list is empty.
    Only(Vec<TerminalFeatureOption>),
}

/// A feature of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TerminalFeatureOption {
    /// The counts in the title
    Title,
    /// A progress bar in the tab or the task bar
    Progress,
    /// Locations of failures as links
    Links,
    /// The bell at the end of a long run
    Bell,
    /// A notification of the desktop at the end of a long run
    Notification,
}

/// Parses the value of `--terminal`.
fn terminal_features(text: &str) -> Result<TerminalOption, String> {
    match text {
        "auto" => return Ok(TerminalOption::Auto),
        "none" => return Ok(TerminalOption::Only(Vec::new())),
        _ => {}
    }
    let features = text.split(',').map(|name| {
        TerminalFeatureOption::from_str(name.trim(), false).map_err(|_| {
            format!(
                "`{name}` is none of title, progress, links, bell, notification; `auto` and `none` \
                 stand alone"
            )
        })
    });
    Ok(TerminalOption::Only(features.collect::<Result<_, _>>()?))
}

/// Parses the value of `--replay-speed`.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(times) if times > 0.0 && f64::is_finite(times) => Ok(times),
        Ok(_) | Err(_) => Err("a number greater than 0 is expected, such as 0.5 or 10".to_owned()),
    }
}

/// The user interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UiOption {
    /// The dashboard on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// The full-screen dashboard
    #[value(alias = "fancy")]
    Dashboard,
    /// One line per test
    #[value(alias = "simple")]
    Plain,
    /// Failures and the summary
    Quiet,
}

/// What is printed for each test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StyleOption {
    /// A line; the output of failed tests
    Lines,
    /// A character; the output of failed tests at the end
    Dots,
    /// Nothing, except for failed tests: the same as --quiet
    Failures,
    /// The name; the output of failed tests at the end
    Names,
}

/// What the dashboard does when the run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnFinishOption {
    /// Stay open if something failed
    #[default]
    Auto,
    /// Stay open until you close it
    Stay,
    /// Close
    Exit,
}

/// When lines are written for GitHub Actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GithubOption {
    /// When GITHUB_ACTIONS is "true"
    #[default]
    Auto,
    /// Always
    On,
    /// Never
    Off,
}

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorOption {
    /// When the output goes to a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_terminals_are_a_list_or_a_word() {
        use TerminalFeatureOption::{Bell, Title};
        let only = TerminalOption::Only;
        assert_eq!(terminal_features("auto"), Ok(TerminalOption::Auto));
        assert_eq!(terminal_features("none"), Ok(only(Vec::new())));
        assert_eq!(
            terminal_features("title, bell"),
            Ok(only(vec![Title, Bell]))
        );
        for wrong in ["", "title,none", "sound", "title,"] {
            assert!(terminal_features(wrong).is_err(), "{wrong}");
        }
    }
}
