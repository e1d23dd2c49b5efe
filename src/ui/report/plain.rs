//! The core of a report: turns events into lines. Its only side effect is the log store's spool
//! file.
//!
//! What it writes for a test is in `per_test.rs`.
//!
//! Time is always an argument: the time of the event for [`RunReport::apply`], and the caller's
//! clock for [`RunReport::tick`]. Lines are only ever appended.

use std::collections::VecDeque;
use std::io::{self, Write};

use crate::log::LogStore;
use crate::model::{BuildPhase, RunModel, RunPhase};
use crate::style::TextRole;
use maelstrom_model::event::{
    AttemptEvent, BackendInfo, BuildEvent, Event, EventKind, NoticeSeverity, RoundCause,
    RoundEvent, RunEvent, RunStarted, TestEvent, UserNotice, WatchEvent, WorkerStatusEvent,
};

use super::build::write_build_output;
use super::counter::AttemptCounter;
use super::dots::DotRows;
use super::ending::{FailureOutput, PrecedingOutput, RunEnding, write_notice};
use super::links::FileLinks;
use super::live::LiveOutput;
use super::options::RunReportOptions;
use super::text::{HumanDuration, changed, count, printable};
use super::writer::{OutputPosition, ReportWriter, ShownFailures};

/// The time without activity after which a progress line reports what is running.
const SILENCE_US: u64 = 10_000_000;
/// The maximum interval between two progress lines. The interval doubles up to this limit, so that
/// a test that hangs all night doesn't fill the disk.
const SILENCE_US_MAX: u64 = 80_000_000;
/// The number of longest-running tests that a progress line names.
const LONGEST_NAMED: usize = 3;
/// The maximum number of bytes of build output that a terse report keeps in case the build fails.
const BUILD_OUTPUT_BYTES_MAX: usize = 256 << 10;

/// The state of a report while its run is going on.
#[derive(Debug)]
pub struct RunReport {
    pub(super) options: RunReportOptions,
    pub(super) model: RunModel,
    pub(super) logs: LogStore,
    pub(super) counter: AttemptCounter,
    pub(super) dots: DotRows,
    pub(super) live: LiveOutput,
    pub(super) shown_failures: ShownFailures,
    position: OutputPosition,
    /// The time of the last activity; see [`RunReport::keep_time`].
    silent_since_us: u64,
    /// The time from `broken_at_us` to the next progress line.
    patience_us: u64,
    /// The time of the last progress line, or of the last activity if that is later.
    broken_at_us: u64,
    build_started_us: u64,
    /// The end of the build output, which only a terse report keeps.
    build_output: VecDeque<u8>,
}

impl RunReport {
    /// Creates an empty report.
    pub fn new(options: RunReportOptions) -> RunReport {
        RunReport {
            options,
            model: RunModel::new(),
            logs: LogStore::new(),
            counter: AttemptCounter::default(),
            dots: DotRows::default(),
            live: LiveOutput::default(),
            shown_failures: ShownFailures::default(),
            position: OutputPosition::default(),
            silent_since_us: 0,
            patience_us: SILENCE_US,
            broken_at_us: 0,
            build_started_us: 0,
            build_output: VecDeque::new(),
        }
    }

    /// Returns the state of the run.
    pub(super) fn model(&self) -> &RunModel {
        &self.model
    }

    /// Updates the report with an event and writes the resulting lines, if any.
    pub fn apply(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        // Read before the model applies the event: the start of a test counts as activity only if
        // no test was running.
        let was_running = self.model.running().len() > 0;
        self.model.apply(event);
        self.counter.apply(&event.kind);
        let mut position = self.position;
        let mut out = ReportWriter::new(out, &mut position);
        let written = match self.options.style.tells_progress() {
            true => self.write_with_progress(event, &mut out),
            false => self.write_tersely(event, &mut out),
        };
        let is_output = matches!(event.kind, EventKind::Attempt(AttemptEvent::Output { .. }));
        if position != self.position && !is_output {
            self.live.interrupt();
        }
        self.position = position;
        self.keep_time(event, was_running);
        written
    }

    /// Returns the time at which [`RunReport::tick`] writes the next progress line, unless an event
    /// resets it. `None` if no progress line is due, as in a terse report.
    pub fn wake_us(&self) -> Option<u64> {
        let busy = self.model.running().len() > 0 || self.is_building();
        let is_due = busy && self.options.style.tells_progress();
        is_due.then(|| self.broken_at_us.saturating_add(self.patience_us))
    }

    /// Writes a progress line if [`RunReport::wake_us`] has passed.
    pub fn tick(&mut self, now_us: u64, out: &mut dyn Write) -> io::Result<()> {
        if self.wake_us().is_none_or(|wake_us| now_us < wake_us) {
            return Ok(());
        }
        let line = if self.model.running().len() > 0 {
            self.heartbeat(now_us)
        } else {
            self.build_progress(now_us)
        };
        self.broken_at_us = now_us;
        self.patience_us = (self.patience_us * 2).min(SILENCE_US_MAX);
        self.live.interrupt();
        let mut out = ReportWriter::new(out, &mut self.position);
        out.begin_line()?;
        writeln!(out, "{}", self.options.color.paint(TextRole::Faint, line))
    }

    /// Resets the interval between progress lines if the event is activity: the end of a test, the
    /// start of a test while none is running, the start of a round, or output of the build.
    fn keep_time(&mut self, event: &Event, was_running: bool) {
        let alive = match &event.kind {
            EventKind::Build(change) => match change {
                BuildEvent::Started { .. } => {
                    self.build_started_us = event.at_us;
                    true
                }
                BuildEvent::Output { .. }
                | BuildEvent::UnitOutput { .. }
                | BuildEvent::Finished { .. } => true,
                BuildEvent::Progress { .. } | BuildEvent::Package { .. } => false,
            },
            EventKind::Round(RoundEvent::Started { .. })
            | EventKind::Attempt(AttemptEvent::Finished(_)) => true,
            EventKind::Attempt(AttemptEvent::Started { .. }) => !was_running,
            EventKind::Attempt(AttemptEvent::Output { .. }) => {
                // What is shown is a sign of life, but no test has ended.
                if self.is_live() {
                    self.broken_at_us = event.at_us;
                }
                false
            }
            EventKind::Run(RunEvent::Continued { suspended_us }) => {
                self.silent_since_us = self.silent_since_us.saturating_add(*suspended_us);
                self.broken_at_us = self.broken_at_us.saturating_add(*suspended_us);
                false
            }
            EventKind::Round(_)
            | EventKind::Attempt(_)
            | EventKind::Run(_)
            | EventKind::Test(_)
            | EventKind::Watch(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => false,
        };
        if alive {
            self.silent_since_us = event.at_us;
            self.broken_at_us = event.at_us;
            self.patience_us = SILENCE_US;
        }
    }

    fn write_with_progress(&mut self, event: &Event, out: &mut ReportWriter<'_>) -> io::Result<()> {
        let color = self.options.color;
        match &event.kind {
            EventKind::Run(change) => write_run(change, out),
            EventKind::Build(BuildEvent::Output { text }) => {
                out.begin_line()?;
                write_build_output(out, color, &text.0)
            }
            EventKind::Build(BuildEvent::Finished { succeeded: false }) => self.build_failed(out),
            EventKind::Test(TestEvent::DiscoveryFinished {
                selected,
                deselected,
            }) => {
                if *selected == 0 && self.has_told_why() {
                    return Ok(());
                }
                out.begin_line()?;
                writeln!(out, "{}", found(*selected, *deselected))
            }
            EventKind::Watch(change) => self.watch(change, out),
            EventKind::Round(change) => {
                if let RoundEvent::Started { round, cause } = change {
                    out.begin_line()?;
                    match cause {
                        RoundCause::Start => {}
                        RoundCause::Rerun => {
                            writeln!(out, "\nround {round}: tests are run again")?;
                        }
                        RoundCause::Watch => writeln!(out, "round {round}")?,
                    }
                }
                self.round(change, out)
            }
            EventKind::Attempt(change) => self.attempt(event.at_us, change, out),
            EventKind::Worker(change) => self.worker(change, out),
            // The summary repeats these notices, so a line here would be redundant.
            EventKind::Notice(notice)
                if notice.in_summary && notice.severity == NoticeSeverity::Info =>
            {
                Ok(())
            }
            EventKind::Notice(notice) => {
                out.begin_line()?;
                write_notice(out, color, notice)
            }
            EventKind::Build(_) | EventKind::Test(_) | EventKind::Cluster(_) => Ok(()),
        }
    }

    fn write_tersely(&mut self, event: &Event, out: &mut ReportWriter<'_>) -> io::Result<()> {
        let color = self.options.color;
        match &event.kind {
            EventKind::Build(BuildEvent::Output { text }) => {
                self.build_output.extend(&text.0);
                let excess = self
                    .build_output
                    .len()
                    .saturating_sub(BUILD_OUTPUT_BYTES_MAX);
                self.build_output.drain(..excess);
                Ok(())
            }
            EventKind::Build(BuildEvent::Finished { succeeded }) => {
                let text: Vec<u8> = std::mem::take(&mut self.build_output).into();
                if *succeeded {
                    return Ok(());
                }
                out.begin_line()?;
                write_build_output(out, color, &text)?;
                self.build_failed(out)
            }
            EventKind::Watch(change) => self.watch(change, out),
            EventKind::Round(change) => self.round(change, out),
            EventKind::Attempt(change) => self.attempt(event.at_us, change, out),
            EventKind::Notice(notice) if notice.severity >= NoticeSeverity::Warning => {
                out.begin_line()?;
                write_notice(out, color, notice)
            }
            EventKind::Build(_)
            | EventKind::Notice(_)
            | EventKind::Run(_)
            | EventKind::Test(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_) => Ok(()),
        }
    }

    fn round(&mut self, event: &RoundEvent, out: &mut ReportWriter<'_>) -> io::Result<()> {
        match event {
            RoundEvent::Started { .. } => {
                self.shown_failures.clear();
                Ok(())
            }
            RoundEvent::RerunQueued { .. } => Ok(()),
            RoundEvent::Finished { .. } => RunEnding {
                color: self.options.color,
                links: FileLinks::of(self.options.terminal),
                before: PrecedingOutput::Trouble,
                failures: match self.options.style.tells_failures_at_once() {
                    true => FailureOutput::Written,
                    false => FailureOutput::Missing,
                },
                slowest: self.options.slowest,
                model: &self.model,
                logs: &self.logs,
            }
            .write(out, &mut self.shown_failures),
        }
    }

    /// Returns whether an error says why there is no test.
    fn has_told_why(&self) -> bool {
        let is_error = |notice: &UserNotice| notice.severity == NoticeSeverity::Error;
        self.model.build_failed() || self.model.notices.iter().any(is_error)
    }

    fn build_failed(&self, out: &mut ReportWriter<'_>) -> io::Result<()> {
        let text = self.options.color.paint(TextRole::Bad, "the build failed");
        out.begin_line()?;
        writeln!(out, "{text}")
    }

    fn watch(&self, event: &WatchEvent, out: &mut ReportWriter<'_>) -> io::Result<()> {
        out.begin_line()?;
        match event {
            WatchEvent::FilesChanged { paths, more } => self.changed(paths, *more, out),
            WatchEvent::AwaitingChange { directories } => self.awaiting(*directories, out),
        }
    }

    fn worker(&self, event: &WorkerStatusEvent, out: &mut ReportWriter<'_>) -> io::Result<()> {
        match event {
            WorkerStatusEvent::Joined { name, slots, .. } if self.is_remote() => {
                let slots = count(u64::from(*slots), "slot", "slots");
                out.begin_line()?;
                writeln!(out, "worker {} joined: {slots}", printable(name))
            }
            WorkerStatusEvent::Left { worker, reason } => {
                let name = self.model.worker(*worker).map_or("", |worker| &worker.name);
                out.begin_line()?;
                writeln!(
                    out,
                    "worker {} left: {}",
                    printable(name),
                    printable(reason)
                )
            }
            WorkerStatusEvent::Joined { .. } | WorkerStatusEvent::Sample(_) => Ok(()),
        }
    }

    fn changed(&self, paths: &[String], more: u32, out: &mut ReportWriter<'_>) -> io::Result<()> {
        let text = match self.model.phase {
            RunPhase::Starting | RunPhase::Running | RunPhase::Cancelling { .. } => {
                "this round is out of date, another follows"
            }
            RunPhase::RoundOver | RunPhase::Finished { .. } => "everything is built and run again",
        };
        let what = format!("{} changed:", changed(paths, more));
        let what = self.options.color.paint(TextRole::Strong, what);
        writeln!(out, "\n{what} {text}")
    }

    fn awaiting(&self, directories: u32, out: &mut ReportWriter<'_>) -> io::Result<()> {
        let directories = count(u64::from(directories), "directory", "directories");
        let text = format!("watching {directories} for changes; ^C ends this");
        writeln!(out, "{}", self.options.color.paint(TextRole::Faint, text))
    }

    fn heartbeat(&self, now_us: u64) -> String {
        let silence = HumanDuration(now_us.saturating_sub(self.silent_since_us));
        let running = self.model.running().len();
        let (done, total) = (self.model.counts.done(), self.model.counts.total());
        let longest: Vec<String> = self
            .model
            .running()
            .take(LONGEST_NAMED)
            .map(|(started_us, test)| {
                let title = printable(self.model.tests.title(test));
                format!(
                    "{title} ({})",
                    HumanDuration(now_us.saturating_sub(started_us))
                )
            })
            .collect();
        let transfer = self.transfer().unwrap_or_default();
        format!(
            "... nothing ended for {silence}: {running} running, {done} of {total} done{transfer}; \
             longest: {}",
            longest.join(", ")
        )
    }

    fn build_progress(&self, now_us: u64) -> String {
        let time = HumanDuration(now_us.saturating_sub(self.build_started_us));
        let transfer = self.transfer().unwrap_or_default();
        match &self.model.build {
            BuildPhase::Going {
                done,
                total,
                current,
            } => {
                let of = total.map_or(String::new(), |total| format!(" of {total}"));
                let last = if current.is_empty() {
                    String::new()
                } else {
                    format!(", last {}", printable(current))
                };
                format!("... building for {time}: {done}{of} done{last}{transfer}")
            }
            BuildPhase::None | BuildPhase::Succeeded | BuildPhase::Failed => {
                format!("... working for {time}{transfer}")
            }
        }
    }

    fn transfer(&self) -> Option<String> {
        let (done, total) = self.model.transfers.progress()?;
        let percent = done.saturating_mul(100).checked_div(total)?;
        Some(format!(", copying inputs: {percent} %"))
    }

    fn is_building(&self) -> bool {
        match self.model.build {
            BuildPhase::Going { .. } => true,
            BuildPhase::None | BuildPhase::Succeeded | BuildPhase::Failed => false,
        }
    }

    /// Returns whether at most one test can run at a time.
    pub(super) fn has_one_slot(&self) -> bool {
        let present = self.model.workers().filter(|worker| worker.is_present());
        let slots: usize = present.map(|worker| worker.slots.len()).sum();
        slots == 1
    }

    fn is_remote(&self) -> bool {
        match self.model.run.as_ref().map(|run| &run.backend) {
            Some(BackendInfo::Broker { .. }) => true,
            Some(BackendInfo::Local) | None => false,
        }
    }
}

fn write_run(event: &RunEvent, out: &mut ReportWriter<'_>) -> io::Result<()> {
    match event {
        RunEvent::Started(run) => writeln!(out, "{}", introduction(run)),
        RunEvent::Cancelling { grace_us } => {
            let grace = HumanDuration(*grace_us);
            out.begin_line()?;
            writeln!(
                out,
                "cancelling: running tests have {grace} to end by themselves"
            )
        }
        RunEvent::Paused
        | RunEvent::Resumed
        | RunEvent::Suspended
        | RunEvent::Continued { .. }
        | RunEvent::Finished { .. } => Ok(()),
    }
}

fn introduction(run: &RunStarted) -> String {
    let place = match &run.backend {
        BackendInfo::Local => "on this machine".to_owned(),
        BackendInfo::Broker { address } => format!("through the broker at {}", printable(address)),
    };
    format!(
        "{} {}, run {}, {place}",
        printable(&run.program),
        printable(&run.version),
        run.run.short()
    )
}

fn found(selected: u32, deselected: u32) -> String {
    let selected = match selected {
        0 => "no tests to run".to_owned(),
        some => count(u64::from(some), "test found", "tests found"),
    };
    match deselected {
        0 => selected,
        some => format!("{selected}, {some} left out by filters"),
    }
}
