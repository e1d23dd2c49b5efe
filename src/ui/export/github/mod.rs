//! A report in lines for the log of GitHub Actions: the lines of a [`LineReport`], with annotations at
//! the places of failures, groups around the build's output, and a step summary.
//!
//! GitHub takes commands from the log, so a test could write them. While the report's own lines are
//! written, commands are switched off with a token that no test knows.

mod command;
mod summary;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use self::command::{data, property};
use self::summary::{StepSummary, reason};
use crate::model::RunModel;
use crate::report::{LineReport, OutputSanitizer};
use crate::style::OutputColor;
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, BuildEvent, Event, EventKind, RoundEvent, RunEvent,
    SourceLocation, TestEvent,
};
use maelstrom_model::ids::{Attempt, TestId};

/// The number of annotations of a level: GitHub shows no more errors, and no more warnings, of a
/// step.
const ANNOTATIONS_MAX: usize = 10;
/// The number of bytes of a test's output that an annotation ends with.
const TAIL_BYTES: usize = 4 << 10;

/// What the environment of a GitHub step says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubContext {
    /// The directory of the repository, from which the paths of annotations start.
    pub workspace: Option<PathBuf>,
    /// The file to which the step summary is appended.
    pub summary: Option<PathBuf>,
    /// The word that switches commands on again. It must be unpredictable.
    pub token: String,
}

/// A report for GitHub Actions.
#[derive(Debug)]
pub struct GithubReport<R> {
    lines: R,
    context: GithubContext,
    directory: PathBuf,
    titles: Vec<String>,
    /// The ends of the output of running attempts.
    tails: BTreeMap<(TestId, Attempt), Vec<u8>>,
    annotated: Vec<TestId>,
    errors: usize,
    warnings: usize,
    /// The places and reasons of failures that were retried.
    retried: BTreeMap<TestId, (Option<SourceLocation>, String)>,
    summary: StepSummary,
    group: LogGroup,
    commands: CommandState,
}

/// Whether the log has an open group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogGroup {
    None,
    Open,
}

/// Whether GitHub takes commands from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CommandState {
    On,
    Off,
}

impl<R> GithubReport<R> {
    /// Creates a report around another one.
    pub fn new(lines: R, context: GithubContext) -> GithubReport<R> {
        GithubReport {
            lines,
            context,
            directory: PathBuf::new(),
            titles: Vec::new(),
            tails: BTreeMap::new(),
            annotated: Vec::new(),
            errors: 0,
            warnings: 0,
            retried: BTreeMap::new(),
            summary: StepSummary::default(),
            group: LogGroup::None,
            commands: CommandState::On,
        }
    }

    fn observe(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Run(RunEvent::Started(run)) => {
                self.directory = PathBuf::from(&run.directory);
                self.summary.program(&run.program);
            }
            EventKind::Test(TestEvent::Discovered { tests }) => {
                let known = self.titles.len();
                let new = tests.iter().filter(|test| test.test.index() >= known);
                self.titles.extend(new.map(|test| test.title.clone()));
            }
            EventKind::Round(RoundEvent::Finished { summary, .. }) => self.summary.round(*summary),
            EventKind::Build(BuildEvent::Finished { succeeded }) => self.summary.build(*succeeded),
            EventKind::Attempt(AttemptEvent::Output {
                test,
                attempt,
                text,
                ..
            }) => {
                let tail = self.tails.entry((*test, *attempt)).or_default();
                tail.extend_from_slice(&text.0);
                let excess = tail.len().saturating_sub(TAIL_BYTES);
                tail.drain(..excess);
            }
            EventKind::Run(_)
            | EventKind::Build(_)
            | EventKind::Test(_)
            | EventKind::Round(_)
            | EventKind::Attempt(_)
            | EventKind::Watch(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => {}
        }
    }

    /// Writes the report's own lines, in which no commands are taken.
    fn write_lines(&mut self, is_build: bool, lines: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        match (self.group, is_build) {
            (LogGroup::None, true) => {
                self.command(out, "::group::build")?;
                self.group = LogGroup::Open;
            }
            (LogGroup::Open, false) => self.end_group(out)?,
            (LogGroup::None, false) | (LogGroup::Open, true) => {}
        }
        if self.commands == CommandState::On {
            writeln!(out, "::stop-commands::{}", self.context.token)?;
            self.commands = CommandState::Off;
        }
        out.write_all(lines)
    }

    fn end_group(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.group {
            LogGroup::None => Ok(()),
            LogGroup::Open => {
                self.group = LogGroup::None;
                self.command(out, "::endgroup::")
            }
        }
    }

    fn command(&mut self, out: &mut dyn Write, command: &str) -> io::Result<()> {
        if self.commands == CommandState::Off {
            writeln!(out, "::{}::", self.context.token)?;
            self.commands = CommandState::On;
        }
        writeln!(out, "{command}")
    }

    /// Writes the annotation of a test that failed, or a warning for one that is flaky, unless the
    /// test has one.
    fn annotate(&mut self, finished: &AttemptFinished, out: &mut dyn Write) -> io::Result<()> {
        let AttemptFinished { test, attempt, .. } = *finished;
        let tail = self.tails.remove(&(test, attempt)).unwrap_or_default();
        let title = self.titles.get(test.index()).cloned().unwrap_or_default();
        let place = finished.location.as_ref().map(|place| self.relative(place));
        if finished.is_retried() {
            // The test does not count yet. If it passes in the end, this says why it is flaky.
            let reason = reason(&finished.outcome);
            self.retried.insert(test, (place, reason));
            return Ok(());
        }
        let retried = self.retried.remove(&test);
        let place = place.or(retried.as_ref().and_then(|(place, _)| place.clone()));
        self.summary.finished(&title, place.as_ref(), finished);
        let outcome = finished.counted_outcome();
        let is_warning = finished.is_flaky() && !outcome.is_failure();
        if !(outcome.is_failure() || is_warning) || self.annotated.contains(&test) {
            return Ok(());
        }
        let annotations = match is_warning {
            true => &mut self.warnings,
            false => &mut self.errors,
        };
        if *annotations >= ANNOTATIONS_MAX {
            return Ok(());
        }
        *annotations += 1;
        self.annotated.push(test);
        let mut properties = Vec::new();
        if let Some(place) = &place {
            properties.push(format!("file={}", property(&place.path)));
            properties.push(format!("line={}", place.line));
            properties.extend(place.column.map(|column| format!("col={column}")));
        }
        properties.push(format!("title={}", property(&title)));
        let output = match is_warning {
            true => String::new(),
            false => cleaned(&tail),
        };
        let reason = match (is_warning, retried) {
            (true, Some((_, reason))) => format!("flaky: passed after a failed attempt ({reason})"),
            (true, None) => "flaky: passed after a failed attempt".to_owned(),
            (false, _) => reason(&outcome),
        };
        let message = match output.is_empty() {
            true => reason,
            false => format!("{reason}\n{output}"),
        };
        let level = match is_warning {
            true => "warning",
            false => "error",
        };
        let command = format!("::{level} {}::{}", properties.join(","), data(&message));
        self.command(out, &command)
    }

    /// Returns a location with its path from the repository's directory, if it lies there.
    fn relative(&self, place: &SourceLocation) -> SourceLocation {
        let absolute = self.directory.join(&place.path);
        let workspace = self.context.workspace.as_deref().unwrap_or(Path::new(""));
        let path = absolute.strip_prefix(workspace).unwrap_or(&absolute);
        SourceLocation {
            path: path.to_string_lossy().into_owned(),
            ..place.clone()
        }
    }
}

impl<R: LineReport> LineReport for GithubReport<R> {
    fn apply(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        self.observe(event);
        let mut lines = Vec::new();
        self.lines.apply(event, &mut lines)?;
        let is_build = matches!(event.kind, EventKind::Build(_));
        self.write_lines(is_build, &lines, out)?;
        match &event.kind {
            EventKind::Build(BuildEvent::Finished { .. }) => self.end_group(out),
            EventKind::Attempt(AttemptEvent::Finished(finished)) => self.annotate(finished, out),
            EventKind::Run(RunEvent::Finished { exit_code }) => {
                self.end_group(out)?;
                let failed = match &self.context.summary {
                    Some(path) => self.summary.append(path, *exit_code).err(),
                    None => None,
                };
                if let Some(error) = failed {
                    let text = format!("cannot write the step summary: {error}");
                    self.command(out, &format!("::warning::{}", data(&text)))?;
                }
                // Later commands of the step are on again.
                if self.commands == CommandState::Off {
                    writeln!(out, "::{}::", self.context.token)?;
                    self.commands = CommandState::On;
                }
                Ok(())
            }
            EventKind::Run(_)
            | EventKind::Build(_)
            | EventKind::Test(_)
            | EventKind::Attempt(_)
            | EventKind::Watch(_)
            | EventKind::Round(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => Ok(()),
        }
    }

    fn wake_us(&self) -> Option<u64> {
        self.lines.wake_us()
    }

    fn tick(&mut self, now_us: u64, out: &mut dyn Write) -> io::Result<()> {
        let mut lines = Vec::new();
        self.lines.tick(now_us, &mut lines)?;
        let is_build = self.group == LogGroup::Open;
        self.write_lines(is_build, &lines, out)
    }

    fn model(&self) -> &RunModel {
        self.lines.model()
    }
}

/// Returns the end of a test's output without escape sequences.
fn cleaned(tail: &[u8]) -> String {
    let mut cleaner = OutputSanitizer::new(OutputColor::Never);
    // The first line may have lost its beginning.
    let begin = match tail.len() < TAIL_BYTES {
        true => 0,
        false => memchr::memchr(b'\n', tail).map_or(0, |end| end + 1),
    };
    let lines = tail
        .get(begin..)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n');
    let lines: Vec<String> = lines.map(|line| cleaner.line(line).to_owned()).collect();
    lines.join("\n").trim_end().to_owned()
}
