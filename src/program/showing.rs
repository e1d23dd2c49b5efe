//! From options, the terminal and the user's own settings to what a run is shown on.

use std::io;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::opening::Purpose;
use super::screen::Screen;
use super::session::wait_for;
use maelstrom_engine::log::Log;
use maelstrom_model::exit_code;
use maelstrom_runners::cargo::options::{
    ColorOption, OnFinishOption, PassingOutput, ReportOptions, UiOption,
};
use maelstrom_ui::background;
use maelstrom_ui::choose::{self, ChoiceError, Surroundings, Ui, UiChoice, choose};
use maelstrom_ui::dashboard::settings::{Settings as DashboardSettings, ThemeWish};
use maelstrom_ui::dashboard::theme::{ColorChoice, Glyphs};
use maelstrom_ui::dashboard::{self, OnFinish, Playback, Source};
use maelstrom_ui::record::{self, Pace};
use maelstrom_ui::report;
use maelstrom_ui::style::Colour;

/// What a run is shown on, as the options and this process's surroundings have it.
pub fn screen(
    options: &ReportOptions,
    passing_output: PassingOutput,
    colour: Colour,
    source: Source,
) -> Result<Screen, Failure> {
    let verbosity = match user_interface(options)? {
        Ui::Dashboard => return dashboard(options, colour, source),
        Ui::Plain => report::Verbosity::Plain,
        Ui::Quiet => report::Verbosity::Quiet,
    };
    Ok(Screen::Report(report::Options {
        verbosity,
        colour,
        passing_output: match passing_output {
            PassingOutput::Hidden => report::PassingOutput::Hidden,
            PassingOutput::Shown => report::PassingOutput::Shown,
        },
    }))
}

/// What kind of user interface a run gets.
pub fn user_interface(options: &ReportOptions) -> Result<Ui, Failure> {
    let run = choose::Purpose::Run;
    choose(wish(options), run, &Surroundings::of_process()).map_err(refused)
}

/// Refuses a user interface that cannot show what a call is for, before anything is done.
pub fn check(purpose: Purpose, options: &ReportOptions) -> Result<(), Failure> {
    match purpose {
        Purpose::List => {
            let list = choose::Purpose::List;
            let chosen = choose(wish(options), list, &Surroundings::of_process());
            chosen.map(|_| ()).map_err(refused)
        }
        Purpose::Run | Purpose::Other => Ok(()),
    }
}

fn wish(options: &ReportOptions) -> UiChoice {
    match (options.ui, options.no_tui, options.quiet) {
        (_, true, _) | (Some(UiOption::Plain), _, _) => UiChoice::Plain,
        (_, _, true) | (Some(UiOption::Quiet), _, _) => UiChoice::Quiet,
        (Some(UiOption::Dashboard), _, _) => UiChoice::Dashboard,
        (None | Some(UiOption::Auto), _, _) => UiChoice::Auto,
    }
}

fn refused(error: ChoiceError) -> Failure {
    Failure::usage(&error, Some(error.help().to_owned()))
}

fn dashboard(options: &ReportOptions, colour: Colour, source: Source) -> Result<Screen, Failure> {
    let color = match colour {
        Colour::Always => ColorChoice::Color,
        Colour::Never => ColorChoice::Monochrome,
    };
    let usage = |error: &dyn std::error::Error| Failure::usage(error, None);
    let theme = ThemeWish {
        named: options.theme.clone(),
        color,
        fits: background::theme,
    };
    let settings = match dashboard_file() {
        Some(path) => DashboardSettings::read(&path, &theme).map_err(|error| usage(&error))?,
        None => DashboardSettings::standard(&theme).map_err(|error| usage(&error))?,
    };
    let options = dashboard::Options {
        settings,
        glyphs: glyphs(),
        on_finish: match options.on_finish {
            // Whatever a round comes to, the next change is waited for.
            _ if options.watch => OnFinish::Stay,
            OnFinishOption::Auto => OnFinish::Auto,
            OnFinishOption::Stay => OnFinish::Stay,
            OnFinishOption::Exit => OnFinish::Exit,
        },
        source,
        playback: Playback::Going,
        step: None,
    };
    Ok(Screen::Dashboard(Box::new(options), colour))
}

/// Shows a recorded run.
pub fn replay(
    path: &Path,
    options: &ReportOptions,
    passing_output: PassingOutput,
    colour: Colour,
) -> Result<u8, Failure> {
    let mut screen = screen(options, passing_output, colour, Source::Recording)?;
    let pace = match screen {
        Screen::Dashboard(..) => Pace::Times(options.replay_speed),
        Screen::Report(_) | Screen::List(_) => Pace::AtOnce,
    };
    let replay =
        record::replay(path, pace).map_err(|error| Failure::infrastructure(&error, None))?;
    match &mut screen {
        Screen::Dashboard(options, _) => options.step = Some(replay.step),
        Screen::Report(_) | Screen::List(_) => {}
    }
    let shown = screen
        .start(replay.events, replay.commands, &Log::default())
        .map_err(|error| Failure::infrastructure(&*error, None))?;
    wait_for(shown)?;
    match replay.thread.join() {
        Ok(Ok(())) => Ok(exit_code::SUCCESS),
        Ok(Err(error)) => Err(Failure::infrastructure(&error, None)),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The user's theme and keys.
fn dashboard_file() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))?;
    Some(config.join("maelstrom/ui.toml"))
}

/// What the locale can show (locale(7): the first of these that is set decides).
fn glyphs() -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty());
    let name = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    if name.contains("utf-8") || name.contains("utf8") {
        Glyphs::Unicode
    } else {
        Glyphs::Ascii
    }
}

/// Whether what is printed has colors.
pub fn colour(options: &ReportOptions) -> Colour {
    match options.color {
        ColorOption::Auto => Colour::for_stream(&io::stdout()),
        ColorOption::Always => Colour::Always,
        ColorOption::Never => Colour::Never,
    }
}
