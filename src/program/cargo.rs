//! `cargo maelstrom`, from its command line to its exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::screen::{Listing, Screen};
use super::session::{Session, runtime, wait_for};
use super::specification::{explain, init};
use crate::engine::backend::GRACE_DEFAULT;
use crate::engine::config::{ConfigError, Settled, ThisProcess};
use crate::engine::event::{Notice, Severity};
use crate::engine::exit_code;
use crate::engine::framework::DiscoveryError;
use crate::engine::run::message::{Errand, Wishes};
use crate::runners::cargo::options::{
    ColorOption, OnFinishOption, Options, PROGRAM, PassingOutput, ReportOptions, UiOption,
};
use crate::runners::cargo::{CargoError, CargoFramework, Colours, Goal, Invocation, Settings};
use crate::runners::sandbox::specified::files;
use crate::ui::choose::{Surroundings, Ui, UiChoice, choose};
use crate::ui::dashboard::settings::Settings as DashboardSettings;
use crate::ui::dashboard::theme::{ColorChoice, Glyphs};
use crate::ui::dashboard::{self, OnFinish, Playback, Source};
use crate::ui::record::{self, Pace};
use crate::ui::report;
use crate::ui::style::Colour;

/// Runs the program with this command line.
pub fn main(arguments: Vec<OsString>) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    let command = as_called(&arguments);
    let settled = match Options::settled(arguments, &ThisProcess) {
        Ok(settled) => settled,
        Err(ConfigError::CommandLine(told)) => return Ok(tell(&told)),
        Err(error) => return Err(Failure::usage(&error, error.help())),
    };
    let Settled {
        options,
        log_level: _,
        warnings,
        print,
    } = settled;
    let cpus = std::thread::available_parallelism()
        .ok()
        .and_then(|cpus| NonZeroU32::try_from(cpus).ok());
    let settings = options
        .settle(cpus.unwrap_or(NonZeroU32::MIN))
        .map_err(|error| Failure::usage(&error, error.help()))?;
    if let Some(values) = print {
        return print_out(&values);
    }
    let colour = colour(&settings.report);
    if let Some(path) = settings.report.replay.clone() {
        return replay(&path, &settings.report, settings.passing_output, colour);
    }
    let colours = match colour {
        Colour::Always => Colours::Wanted,
        Colour::Never => Colours::Unwanted,
    };
    let invocation = Invocation::of_this_process(colours)
        .map_err(|error| Failure::infrastructure(&error, None))?;
    let framework = CargoFramework::new(settings, invocation);
    match framework.settings().goal {
        Goal::ListPackages => print_lines(runtime()?.block_on(framework.list_packages())),
        Goal::ListBinaries => print_lines(runtime()?.block_on(framework.list_binaries())),
        Goal::Run | Goal::ListTests | Goal::Build | Goal::Explain => {
            let notices = warnings.into_iter().map(|warning| Notice {
                severity: Severity::Warning,
                text: warning.text,
                help: warning.help,
                in_summary: false,
            });
            let notices = notices.collect();
            let code = session(&framework, command, notices, colour)?.run()?;
            match &framework.settings().containers.explain {
                Some(name) => explain(code, name, &framework.explanations()),
                None => Ok(code),
            }
        }
        Goal::Init => {
            let project = runtime()?.block_on(framework.project_directory());
            init(&files::CARGO, &project.map_err(discovery_failure)?)
        }
    }
}

fn session(
    framework: &CargoFramework,
    command: Vec<String>,
    notices: Vec<Notice>,
    colour: Colour,
) -> Result<Session<'_, CargoFramework>, Failure> {
    let settings = framework.settings();
    let (errand, screen) = match settings.goal {
        Goal::Run => (
            Errand::Run,
            screen(
                &settings.report,
                settings.passing_output,
                colour,
                Source::Live,
            )?,
        ),
        Goal::ListTests => (Errand::List, Screen::List(Listing::Tests)),
        Goal::Build | Goal::ListPackages | Goal::ListBinaries | Goal::Init | Goal::Explain => {
            (Errand::List, Screen::List(Listing::Nothing))
        }
    };
    Ok(Session {
        program: PROGRAM.name,
        command,
        framework,
        isolation: settings.isolation,
        slots: settings.slots,
        wishes: wishes(settings, errand, &screen),
        notices,
        watching: screen.watching(&settings.report),
        screen,
        record: settings.report.record.clone(),
    })
}

fn wishes(settings: &Settings, errand: Errand, screen: &Screen) -> Wishes {
    Wishes {
        errand,
        repeat: settings.repeat,
        stop_after: settings.stop_after,
        at_end: screen.at_end(screen.watching(&settings.report)),
        grace: GRACE_DEFAULT,
    }
}

pub(super) fn screen(
    options: &ReportOptions,
    passing_output: PassingOutput,
    colour: Colour,
    source: Source,
) -> Result<Screen, Failure> {
    let wish = match (options.ui, options.no_tui, options.quiet) {
        (_, true, _) | (Some(UiOption::Plain), _, _) => UiChoice::Plain,
        (_, _, true) | (Some(UiOption::Quiet), _, _) => UiChoice::Quiet,
        (Some(UiOption::Dashboard), _, _) => UiChoice::Dashboard,
        (None | Some(UiOption::Auto), _, _) => UiChoice::Auto,
    };
    let ui = choose(wish, &Surroundings::of_process())
        .map_err(|error| Failure::usage(&error, Some("--ui=plain prints lines".to_owned())))?;
    let verbosity = match ui {
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

fn dashboard(options: &ReportOptions, colour: Colour, source: Source) -> Result<Screen, Failure> {
    let color = match colour {
        Colour::Always => ColorChoice::Color,
        Colour::Never => ColorChoice::Monochrome,
    };
    let settings = match dashboard_file() {
        Some(path) => {
            DashboardSettings::read(&path, color).map_err(|error| Failure::usage(&error, None))?
        }
        None => DashboardSettings::standard(color).map_err(|error| Failure::usage(&error, None))?,
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
pub(super) fn replay(
    path: &Path,
    options: &ReportOptions,
    passing_output: PassingOutput,
    colour: Colour,
) -> Result<u8, Failure> {
    let mut screen = screen(options, passing_output, colour, Source::Recording)?;
    let pace = match screen {
        Screen::Dashboard(..) => Pace::Times(1.0),
        Screen::Report(_) | Screen::List(_) => Pace::AtOnce,
    };
    let replay =
        record::replay(path, pace).map_err(|error| Failure::infrastructure(&error, None))?;
    match &mut screen {
        Screen::Dashboard(options, _) => options.step = Some(replay.step),
        Screen::Report(_) | Screen::List(_) => {}
    }
    let shown = screen
        .start(replay.events, replay.commands)
        .map_err(|error| Failure::infrastructure(&error, None))?;
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

/// Who asks for plain lines gets text without escapes, on a terminal as in a file: such a run
/// prints the same wherever it goes.
pub(super) fn colour(options: &ReportOptions) -> Colour {
    let asked_for_lines = options.no_tui || options.ui == Some(UiOption::Plain);
    match options.color {
        ColorOption::Auto if asked_for_lines => Colour::Never,
        ColorOption::Auto => Colour::for_stream(&io::stdout()),
        ColorOption::Always => Colour::Always,
        ColorOption::Never => Colour::Never,
    }
}

/// The command line as it was typed: through cargo, the second word is the subcommand.
fn as_called(arguments: &[OsString]) -> Vec<String> {
    let mut words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let [program, subcommand, ..] = words.as_mut_slice()
        && subcommand == "maelstrom"
    {
        *program = "cargo".to_owned();
    }
    words
}

/// Shows help or a mistake in the command line where each belongs.
pub(super) fn tell(told: &clap::Error) -> u8 {
    drop(told.print());
    u8::try_from(told.exit_code()).unwrap_or(exit_code::USAGE)
}

fn discovery_failure(error: CargoError) -> Failure {
    Failure::with_code(&error, error.help(), error.exit_code())
}

fn print_lines(lines: Result<Vec<String>, CargoError>) -> Result<u8, Failure> {
    let lines = lines.map_err(discovery_failure)?;
    print_out(
        &lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    )
}

pub(super) fn print_out(text: &str) -> Result<u8, Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::infrastructure(&error, None))?;
    Ok(exit_code::SUCCESS)
}
