//! Line-based reports of a run for logs and terminals, in several styles.
//!
//! - [`plain`] turns events into lines, [`per_test`] those of single tests.
//! - [`counter`] counts the tests for their lines. [`dots`] writes a character instead of a line.
//! - [`live`] writes the output of running tests while it is written.
//! - [`details`] writes the line and the details of a test, [`log_lines`] its captured output.
//! - [`links`] links the locations of failures to files.
//! - [`build`] writes the output of the build.
//! - [`ending`] writes the end of a report, which the dashboard also prints when it closes:
//!   [`failure_list`] the names of the failed tests, with the messages that [`excerpt`] finds;
//!   [`totals`] the counts.
//! - [`extent`] limits how much of a test's output a report shows.
//! - [`rerun`] computes the commands that rerun failed tests.
//! - [`writer`] keeps the position in the output.
//! - [`options`] holds the options of a report.
//! - [`output`] is the writer, which never blocks its caller; `spill` is its overflow file.
//!
//! [`run`] consumes events as fast as they arrive, even if the output stream is slow or stalled.
//! The only escape sequences in a report are colors, and only if [`RunReportOptions::color`] allows
//! them, and those of [`RunReportOptions::terminal`].

mod build;
mod counter;
mod details;
mod dots;
mod ending;
mod excerpt;
mod extent;
mod failure_list;
mod links;
mod live;
mod log_lines;
mod options;
mod output;
mod per_test;
mod plain;
mod rerun;
mod spill;
pub(super) mod text;
mod totals;
mod writer;

#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use crate::model::RunModel;
use crate::terminal;
use crate::terminal_features::TerminalFeatureSet;
use crate::terminal_status::TerminalStatus;
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::event::{Event, EventKind, RunEvent};

pub use self::build::{write_build, write_build_output};
pub use self::ending::{PrecedingOutput, write_ending, write_notice};
pub(crate) use self::extent::{SHOWN_MAX, ShownLines, shown};
pub use self::options::{PassingOutputDisplay, ReportStyle, RunReportOptions, SlowestTests};
pub use self::output::{BackgroundWriteError, BackgroundWriter, WholeLineWriter};
pub use self::plain::RunReport;
pub(crate) use self::text::{OutputSanitizer, changed, detail};

/// The maximum number of events taken from the channel at a time.
const EVENTS_MAX: usize = 1024;
/// The size of the buffer in front of the writer. The buffer is also flushed whenever no event is
/// waiting.
const GATHERED_BYTES: usize = 32 << 10;

/// A report in lines, as [`run`] feeds it.
pub trait LineReport {
    /// Updates the report with an event and writes the resulting lines, if any.
    fn apply(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()>;

    /// Returns the time at which [`LineReport::tick`] is due unless there is an event before.
    fn wake_us(&self) -> Option<u64>;

    /// Writes a progress line if it is due.
    fn tick(&mut self, now_us: u64, out: &mut dyn Write) -> io::Result<()>;

    /// Returns the model that the events have been applied to.
    fn model(&self) -> &RunModel;
}

impl LineReport for RunReport {
    fn apply(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        RunReport::apply(self, event, out)
    }

    fn wake_us(&self) -> Option<u64> {
        RunReport::wake_us(self)
    }

    fn tick(&mut self, now_us: u64, out: &mut dyn Write) -> io::Result<()> {
        RunReport::tick(self, now_us, out)
    }

    fn model(&self) -> &RunModel {
        RunReport::model(self)
    }
}

/// Writes the report of a run until the run finishes or the event channel closes.
///
/// Blocks until the output stream has accepted everything, so call it on a thread of its own.
pub fn run(
    events: EventReceiver,
    options: RunReportOptions,
    output: BackgroundWriter,
) -> Result<(), BackgroundWriteError> {
    run_lines(events, RunReport::new(options), options.terminal, output)
}

/// Like [`run`], with a report that another one is part of.
pub fn run_lines(
    events: EventReceiver,
    mut report: impl LineReport,
    features: TerminalFeatureSet,
    output: BackgroundWriter,
) -> Result<(), BackgroundWriteError> {
    // The runtime provides the timer: the thread waits for an event or for the next progress line.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(BackgroundWriteError::Thread)?;
    // The sequences break no line, and no line has to wait for their end.
    let mut beside = output.whole_line_writer();
    let mut status = TerminalStatus::new(features);
    let mut show = |model: &RunModel| {
        let text = status.update(model);
        if !text.is_empty() {
            terminal::status_is_shown();
            // Without a reader of the output, there is no terminal.
            drop(beside.write_all(text.as_bytes()));
        }
    };
    let mut output = BufWriter::with_capacity(GATHERED_BYTES, output);
    let reported = runtime.block_on(write_report(events, &mut report, &mut output, &mut show));
    let flushed = reported.and_then(|()| output.flush());
    let (mut output, _) = output.into_parts();
    // After everything else, so that no line waits for it.
    drop(output.write_all(status.end(report.model()).as_bytes()));
    let finished = output.finish();
    terminal::status_is_removed();
    finished?;
    flushed.map_err(BackgroundWriteError::Write)
}

async fn write_report(
    mut events: EventReceiver,
    report: &mut impl LineReport,
    output: &mut impl Write,
    show: &mut impl FnMut(&RunModel),
) -> io::Result<()> {
    let mut clock = ReportClock::default();
    let mut taken = Vec::with_capacity(EVENTS_MAX);
    loop {
        if events.is_empty() {
            output.flush()?;
        }
        let next = events.recv_many(&mut taken, EVENTS_MAX);
        let count = match report.wake_us().map(|wake_us| clock.until(wake_us)) {
            None => next.await,
            Some(wait) => match tokio::time::timeout(wait, next).await {
                Ok(count) => count,
                Err(_) => {
                    report.tick(clock.now_us(), output)?;
                    continue;
                }
            },
        };
        if count == 0 {
            return Ok(());
        }
        for event in taken.drain(..) {
            clock.observe(&event);
            report.apply(&event, output)?;
            if let EventKind::Run(RunEvent::Finished { .. }) = event.kind {
                return Ok(());
            }
        }
        show(report.model());
    }
}

/// Estimates the current time of the run: the time of the last event plus the time since it
/// arrived.
struct ReportClock {
    at: Instant,
    at_us: u64,
}

impl Default for ReportClock {
    fn default() -> Self {
        ReportClock {
            at: Instant::now(),
            at_us: 0,
        }
    }
}

impl ReportClock {
    fn observe(&mut self, event: &Event) {
        *self = ReportClock {
            at: Instant::now(),
            at_us: event.at_us,
        };
    }

    fn now_us(&self) -> u64 {
        let since = u64::try_from(self.at.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.at_us.saturating_add(since)
    }

    fn until(&self, moment_us: u64) -> Duration {
        Duration::from_micros(moment_us.saturating_sub(self.now_us()))
    }
}
