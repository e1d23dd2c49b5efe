//! What a run writes for machines beside its user interface: files, which are checked before the
//! run, and lines for GitHub Actions.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use data_encoding::HEXLOWER;
use miette::Diagnostic;

use super::failure::ProgramFailure;
use super::partition::written_times;
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::exit_code;
use maelstrom_model::ids::secret;
use maelstrom_runners::options::partition::PartitionOptions;
use maelstrom_runners::options::report::{GithubOption, ReportOptions};
use maelstrom_runners::options::{PassingTestOutput, RunSettings};
use maelstrom_ui::export::github::GithubContext;
use maelstrom_ui::export::junit::{JunitFile, JunitOptions};
use maelstrom_ui::export::target::resolve;
use maelstrom_ui::export::tee::{ReportThread, ReportsWritten, tee};
use maelstrom_ui::export::{FileExport, ReportTarget};
use maelstrom_ui::record::RecordingTarget;
use maelstrom_ui::report::PassingOutputDisplay;

/// The recording and the reports that a run writes to files.
#[derive(Default)]
pub struct ReportFiles {
    recording: Option<RecordingTarget>,
    reports: Vec<Box<dyn FileExport>>,
}

/// The recording and the reports of a run that is going on.
#[must_use = "the files are complete only after `settle` has waited for them"]
#[derive(Debug, Default)]
pub struct RunningReports {
    recording: Option<JoinHandle<()>>,
    reports: Option<ReportThread>,
}

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
        formatter
            .debug_struct("ReportFiles")
            .field("recording", &self.recording)
            .field("reports", &self.reports.len())
            .finish()
    }
}

impl ReportFiles {
    /// Returns the files that the settings name, if each can be written and none is named twice.
    pub fn check(settings: &RunSettings) -> Result<ReportFiles, ProgramFailure> {
        let options = &settings.report;
        check_paths(options, &settings.partition)?;
        let mut reports: Vec<Box<dyn FileExport>> = Vec::new();
        if let Some(path) = &options.junit {
            // A store is a directory for reports alone, so that nobody makes it before the run.
            let store = options.junit_store.as_ref();
            let target = match store.is_some_and(|store| path.starts_with(store)) {
                true => ReportTarget::make(path)?,
                false => ReportTarget::check(path)?,
            };
            reports.push(Box::new(JunitFile::new(junit_options(settings), target)));
        }
        if let Some(times) = written_times(&settings.partition)? {
            reports.push(Box::new(times));
        }
        let recording = options.record.as_deref().map(RecordingTarget::open);
        Ok(ReportFiles {
            recording: recording.transpose()?,
            reports,
        })
    }

    /// Returns the recording that the settings name: a list has no other reports.
    pub fn of_list(settings: &RunSettings) -> Result<ReportFiles, ProgramFailure> {
        let recording = settings.report.record.as_deref();
        Ok(ReportFiles {
            recording: recording.map(RecordingTarget::open).transpose()?,
            reports: Vec::new(),
        })
    }

    /// Returns whether there is no file to write.
    pub fn is_empty(&self) -> bool {
        self.recording.is_none() && self.reports.is_empty()
    }

    /// Starts to write the files, and passes the events on.
    pub fn tee(
        self,
        events: EventReceiver,
    ) -> Result<(EventReceiver, RunningReports), ProgramFailure> {
        let failed = |error: io::Error| ProgramFailure::infrastructure(&error);
        let mut events = events;
        let mut running = RunningReports::default();
        if let Some(recording) = self.recording {
            let (passed_on, thread) = recording.record(events).map_err(failed)?;
            events = passed_on;
            running.recording = Some(thread);
        }
        if !self.reports.is_empty() {
            let (passed_on, thread) = tee(events, self.reports).map_err(failed)?;
            events = passed_on;
            running.reports = Some(thread);
        }
        Ok((events, running))
    }
}

impl RunningReports {
    /// Waits until the files are written. Returns the result of the run: if that is a success and
    /// a report could not be written, which a notice has said, the exit code is another one.
    pub fn settle(self, ended: Result<u8, ProgramFailure>) -> Result<u8, ProgramFailure> {
        if let Some(recording) = self.recording {
            // The thread reports its own errors, and the panic hook reports a panic.
            drop(recording.join());
        }
        let written = match self.reports.map(ReportThread::join) {
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
fn check_paths(
    options: &ReportOptions,
    partition: &PartitionOptions,
) -> Result<(), SharedReportPath> {
    let named: [(&'static str, Option<&Path>); 4] = [
        ("--record", options.record.as_deref()),
        ("--junit", options.junit.as_deref()),
        ("--write-times", partition.write_times.as_deref()),
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
