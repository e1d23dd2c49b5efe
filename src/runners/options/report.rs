//! The options for the user interface and reports, which all programs share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use maelstrom_spec::config::{ConfigOption, ConfigOptionKind};

/// The options of [`ReportOptions`] that can also be set by variables and configuration files.
pub const REPORT_VALUES: [ConfigOption; 7] = [
    ConfigOption::new("ui", ConfigOptionKind::Text),
    ConfigOption::new("quiet", ConfigOptionKind::Boolean),
    ConfigOption::new("no-tui", ConfigOptionKind::Boolean),
    ConfigOption::new("on-finish", ConfigOptionKind::Text),
    ConfigOption::new("color", ConfigOptionKind::Text),
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
