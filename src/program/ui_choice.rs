//! Chooses a run's user interface from options, the terminal and the user's settings.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use super::failure::ProgramFailure;
use super::report_files::ReportFiles;
use super::session_options::InvocationPurpose;
use super::ui_thread::{RunUi, wait_for};
use maelstrom_engine::log::ProgramLog;
use maelstrom_model::exit_code;
use maelstrom_runners::cargo;
use maelstrom_runners::options::report::{
    ColorOption, OnFinishOption, ReportOptions, StyleOption, TerminalFeatureOption, TerminalOption,
    UiOption,
};
use maelstrom_runners::options::{PassingTestOutput, RunSettings};
use maelstrom_ui::background;
use maelstrom_ui::dashboard::settings::{DashboardSettings, ThemeChoice};
use maelstrom_ui::dashboard::theme::{ColorChoice, GlyphSet};
use maelstrom_ui::dashboard::{self, EventSource, OnFinish, PlaybackState};
use maelstrom_ui::record::{self, ReplaySpeed};
use maelstrom_ui::report::{self, ReportStyle, SlowestTests};
use maelstrom_ui::style::{ColorEnvironment, ColorWish, OutputColor};
use maelstrom_ui::terminal_features::{TerminalFeature, TerminalFeatureSet};
use maelstrom_ui::ui_choice::{self, TerminalEnvironment, UiChoice, UiKind, choose_ui};

/// Returns the user interface of a run, from the options and this process's environment.
pub fn run_ui(
    run: &RunSettings,
    color: OutputColor,
    source: EventSource,
) -> Result<RunUi, ProgramFailure> {
    if let Some(format) = run.stream {
        return Ok(RunUi::Stream(format));
    }
    let style = match user_interface(&run.report)? {
        UiKind::Dashboard => return dashboard(&run.report, color, source),
        UiKind::Plain => match run.report.style {
            None | Some(StyleOption::Lines) => ReportStyle::Lines,
            Some(StyleOption::Dots) => ReportStyle::Dots,
            Some(StyleOption::Failures) => ReportStyle::Failures,
            Some(StyleOption::Names) => ReportStyle::Names,
        },
        UiKind::Quiet => ReportStyle::Failures,
    };
    Ok(RunUi::Report(report::RunReportOptions {
        style,
        color,
        passing_output: match run.passing_output {
            PassingTestOutput::Hidden => report::PassingOutputDisplay::Hidden,
            PassingTestOutput::Shown => report::PassingOutputDisplay::Live,
            PassingTestOutput::ShownAtEnd => report::PassingOutputDisplay::AtEnd,
        },
        slowest: SlowestTests::wanted(run.report.slowest, style),
        terminal: terminal_features(&run.report),
    }))
}

/// Returns what a report may do with the terminal; nothing if standard output is not one.
fn terminal_features(options: &ReportOptions) -> TerminalFeatureSet {
    let variable = |name: &str| std::env::var(name).ok();
    let term = variable("TERM").unwrap_or_default();
    if !io::stdout().is_terminal() || term == "dumb" {
        return TerminalFeatureSet::NONE;
    }
    match &options.terminal {
        None | Some(TerminalOption::Auto) => TerminalFeatureSet::of_terminal(variable),
        Some(TerminalOption::Only(features)) => features.iter().map(feature).collect(),
    }
}

fn feature(option: &TerminalFeatureOption) -> TerminalFeature {
    match option {
        TerminalFeatureOption::Title => TerminalFeature::Title,
        TerminalFeatureOption::Progress => TerminalFeature::Progress,
        TerminalFeatureOption::Links => TerminalFeature::Links,
        TerminalFeatureOption::Bell => TerminalFeature::Bell,
        TerminalFeatureOption::Notification => TerminalFeature::Notification,
    }
}

/// Returns the kind of user interface that a run gets.
pub fn user_interface(options: &ReportOptions) -> Result<UiKind, ProgramFailure> {
    let run = ui_choice::UiPurpose::Run;
    Ok(choose_ui(
        wish(options),
        run,
        &TerminalEnvironment::of_process(),
    )?)
}

/// Rejects a user interface that cannot show what the invocation is for, before any work starts.
pub fn check(purpose: InvocationPurpose, options: &ReportOptions) -> Result<(), ProgramFailure> {
    match purpose {
        InvocationPurpose::List => {
            let list = ui_choice::UiPurpose::List;
            choose_ui(wish(options), list, &TerminalEnvironment::of_process())?;
            Ok(())
        }
        InvocationPurpose::Run | InvocationPurpose::Other => Ok(()),
    }
}

fn wish(options: &ReportOptions) -> UiChoice {
    match (options.ui, options.no_tui, options.quiet) {
        _ if options.style.is_some() => UiChoice::Plain,
        (_, true, _) | (Some(UiOption::Plain), _, _) => UiChoice::Plain,
        (_, _, true) | (Some(UiOption::Quiet), _, _) => UiChoice::Quiet,
        (Some(UiOption::Dashboard), _, _) => UiChoice::Dashboard,
        (None | Some(UiOption::Auto), _, _) => UiChoice::Auto,
    }
}

fn dashboard(
    options: &ReportOptions,
    color: OutputColor,
    source: EventSource,
) -> Result<RunUi, ProgramFailure> {
    let choice = match color {
        OutputColor::Always => ColorChoice::Color,
        OutputColor::Never => ColorChoice::Monochrome,
    };
    let theme = ThemeChoice {
        named: options.theme.clone(),
        color: choice,
        fits: background::theme,
    };
    let settings =
        match dashboard_file() {
            Some(path) => DashboardSettings::read(&path, &theme)
                .map_err(|error| ProgramFailure::usage(&error))?,
            None => DashboardSettings::standard(&theme)
                .map_err(|error| ProgramFailure::usage(&error))?,
        };
    let options = dashboard::DashboardOptions {
        terminal: terminal_features(options),
        settings,
        glyphs: glyphs(),
        on_finish: match options.on_finish {
            // With `--watch`, the dashboard waits for the next change whatever the result of a
            // round.
            _ if options.watch => OnFinish::Stay,
            OnFinishOption::Auto => OnFinish::Auto,
            OnFinishOption::Stay => OnFinish::Stay,
            OnFinishOption::Exit => OnFinish::Exit,
        },
        source,
        playback: PlaybackState::Going,
        step: None,
    };
    Ok(RunUi::Dashboard(Box::new(options), color))
}

/// Shows a recorded run, and returns the exit code.
pub fn replay(path: &Path, run: &RunSettings, color: OutputColor) -> Result<u8, ProgramFailure> {
    let reports = ReportFiles::check(run)?;
    let mut screen = run_ui(run, color, EventSource::Recording)?;
    let pace = match screen {
        RunUi::Dashboard(..) => ReplaySpeed::Times(run.report.replay_speed),
        RunUi::Report(_) | RunUi::Stream(_) | RunUi::ListStream(_) | RunUi::List(_) => {
            ReplaySpeed::AtOnce
        }
    };
    let replay =
        record::replay(path, pace).map_err(|error| ProgramFailure::infrastructure(&error))?;
    match &mut screen {
        RunUi::Dashboard(options, _) => options.step = Some(replay.step),
        RunUi::Report(_) | RunUi::Stream(_) | RunUi::ListStream(_) | RunUi::List(_) => {}
    }
    let (events, reports) = reports.tee(replay.events)?;
    let shown = screen
        .start(events, replay.commands, &ProgramLog::default(), None)
        .map_err(|error| ProgramFailure::infrastructure(&*error))?;
    wait_for(shown)?;
    let code = reports.settle(Ok(exit_code::SUCCESS))?;
    match replay.thread.join() {
        Ok(Ok(())) => Ok(code),
        Ok(Err(error)) => Err(ProgramFailure::infrastructure(&error)),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Returns the path of the user's theme and key bindings; `None` without a home directory.
fn dashboard_file() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))?;
    Some(config.join("maelstrom/ui.toml"))
}

/// Returns the glyphs that the locale supports. The first of these variables that is set decides
/// (locale(7)).
fn glyphs() -> GlyphSet {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty());
    let name = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    if name.contains("utf-8") || name.contains("utf8") {
        GlyphSet::Unicode
    } else {
        GlyphSet::Ascii
    }
}

/// Returns whether the output of a program is colored.
pub fn color(program: &str, options: &ReportOptions) -> OutputColor {
    let wish = match options.color {
        ColorOption::Auto => ColorWish::Auto,
        ColorOption::Always => ColorWish::Always,
        ColorOption::Never => ColorWish::Never,
    };
    let tool_variable = (program == cargo::options::PROGRAM.name).then_some("CARGO_TERM_COLOR");
    let environment = ColorEnvironment::of_process(tool_variable);
    OutputColor::choose(wish, &environment, io::stdout().is_terminal())
}
