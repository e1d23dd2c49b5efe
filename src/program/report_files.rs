//! What a run writes for machines beside its user interface: files, which are checked before the
//! run, and lines for GitHub Actions.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use miette::Diagnostic;

use super::failure::ProgramFailure;
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::exit_code;
use maelstrom_model::ids::secret;
use maelstrom_runners::options::report::{GithubOption, ReportOptions};
use maelstrom_runners::options::{PassingTestOutput, RunSettings};
use maelstrom_ui::export::github::GithubContext;
use maelstrom_ui::export::junit::{JunitFile, JunitOptions};
use maelstrom_ui::export::target::resolve;
use maelstrom_ui::export::tee::{ReportThread, ReportsWritten, tee};
use maelstrom_ui::export::{FileExport, ReportTarget};
use maelstrom_ui::report::PassingOutputDisplay;

/// The reports that a run writes to files.
#[derive(Default)]
pub struct ReportFiles(Vec<Box<dyn FileExport>>);

/// The reports of a run that is going on.
#[must_use = "the reports are complete only after `settle` has waited for them"]
#[derive(Debug)]
pub struct RunningReports(Option<ReportThread>);

/// Two options that name the same file.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("{first} and {second} name the same file, {path}")]
#[diagnostic(help("give each a file of its own"))]
struct SharedReportPath {
    first: &'static str,
    second: &'static str,
    path: PathBuf,
}

impl ProgramError for SharedReportPath {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

impl std::fmt::Debug for ReportFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ReportFiles({})", self.0.len())
    }
}

impl ReportFiles {
    /// Returns the reports that the settings name, if each can be written to a file of its own.
    pub fn check(settings: &RunSettings) -> Result<ReportFiles, ProgramFailure> {
        let options = &settings.report;
        check_paths(options)?;
        let mut files: Vec<Box<dyn FileExport>> = Vec::new();
        if let Some(path) = &options.junit {
            let target = ReportTarget::check(path)?;
            files.push(Box::new(JunitFile::new(junit_options(settings), target)));
        }
        Ok(ReportFiles(files))
    }

    /// Returns whether there is no report to write.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Starts to write the reports, and passes the events on.
    pub fn tee(
        self,
        events: EventReceiver,
    ) -> Result<(EventReceiver, RunningReports), ProgramFailure> {
        if self.0.is_empty() {
            return Ok((events, RunningReports(None)));
        }
        let (events, thread) =
            tee(events, self.0).map_err(|error| ProgramFailure::infrastructure(&error))?;
        Ok((events, RunningReports(Some(thread))))
    }
}

impl RunningReports {
    /// Waits until the reports are written. Returns the result of the run: if that is a success and
    /// a report could not be written, which a notice has said, the exit code is another one.
    pub fn settle(self, ended: Result<u8, ProgramFailure>) -> Result<u8, ProgramFailure> {
        let written = match self.0.map(ReportThread::join) {
            None => ReportsWritten::Complete,
            // The panic hook reports a panic.
            Some(written) => written.unwrap_or(ReportsWritten::Incomplete),
        };
        Ok(match (ended?, written) {
            (exit_code::SUCCESS, ReportsWritten::Incomplete) => exit_code::INFRASTRUCTURE,
            (code, ReportsWritten::Complete | ReportsWritten::Incomplete) => code,
        })
    }
}

/// Returns what the environment says of GitHub Actions, if lines are written for it.
pub fn github_context(option: GithubOption) -> Result<Option<GithubContext>, ProgramFailure> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_on = match option {
        GithubOption::On => true,
        GithubOption::Off => false,
        GithubOption::Auto => variable("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
    };
    if !is_on {
        return Ok(None);
    }
    let token = secret().map_err(|error| ProgramFailure::infrastructure(&error))?;
    Ok(Some(GithubContext {
        // The paths of the run are free of links.
        workspace: variable("GITHUB_WORKSPACE")
            .map(|path| std::fs::canonicalize(&path).unwrap_or(path.into())),
        summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from),
        token: HEXLOWER.encode(&token),
    }))
}

fn junit_options(settings: &RunSettings) -> JunitOptions {
    let hostname = nix::unistd::gethostname().unwrap_or_default();
    JunitOptions {
        hostname: hostname.to_string_lossy().into_owned(),
        passing_output: match settings.passing_output {
            PassingTestOutput::Hidden => PassingOutputDisplay::Hidden,
            PassingTestOutput::Shown => PassingOutputDisplay::Live,
            PassingTestOutput::ShownAtEnd => PassingOutputDisplay::AtEnd,
        },
    }
}

/// Rejects two options that name the same file: one report would replace the other.
fn check_paths(options: &ReportOptions) -> Result<(), SharedReportPath> {
    let named: [(&'static str, Option<&Path>); 3] = [
        ("--record", options.record.as_deref()),
        ("--junit", options.junit.as_deref()),
        ("--replay", options.replay.as_deref()),
    ];
    let mut seen: Vec<(&'static str, PathBuf)> = Vec::new();
    for (option, path) in named {
        // A file that cannot be resolved cannot be written either, which its own check reports.
        // Devices and pipes can take several reports.
        let resolved = path.and_then(|path| resolve(path).ok());
        let Some(path) = resolved.filter(|path| !path.exists() || path.is_file()) else {
            continue;
        };
        if let Some((first, _)) = seen.iter().find(|(_, known)| *known == path) {
            return Err(SharedReportPath {
                first,
                second: option,
                path,
            });
        }
        seen.push((option, path));
    }
    Ok(())
}
