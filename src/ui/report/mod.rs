//! Line-based reports, for logs and for terminals: plain and quiet.
//!
//! - [`plain`]: the core, from events to lines.
//! - [`build`]: the build's output.
//! - [`ending`]: the end of a report, which a closing dashboard prints, too.
//! - [`extent`]: limits how much of a test's output is shown.
//! - [`rerun`]: the command that reruns the failures.
//! - [`options`]: what a report shows.
//! - [`output`]: the writer, which never blocks; `spill`: its file.
//!
//! [`run`] consumes events as fast as they arrive, whatever the stream does. No escape byte is
//! written unless [`RunReportOptions::color`] allows it, and then only colors.

mod build;
mod ending;
mod extent;
mod options;
mod output;
mod plain;
mod rerun;
mod spill;
pub(super) mod text;

#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::event::{Event, EventKind, RunEvent};

pub use self::build::{write_build, write_build_output};
pub use self::ending::{
    PrecedingOutput, write_ending, write_failures, write_notice, write_summary,
};
pub use self::options::{PassingOutputDisplay, ReportVerbosity, RunReportOptions};
pub use self::output::{BackgroundWriteError, BackgroundWriter, WholeLineWriter};
pub use self::plain::RunReport;
pub use self::rerun::command as rerun_command;
pub(crate) use self::text::changed;

/// Events taken at a time.
const EVENTS_MAX: usize = 1024;
/// Text gathered before it is handed on; all of it is handed on when no event waits.
const GATHERED_BYTES: usize = 32 << 10;

/// Writes the report of a run until its last event. Meant for a thread of its own; returns when
/// the stream has taken everything.
pub fn run(
    events: EventReceiver,
    options: RunReportOptions,
    output: BackgroundWriter,
) -> Result<(), BackgroundWriteError> {
    // Only for its timer: the thread waits for an event or for the moment to break the silence.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(BackgroundWriteError::Thread)?;
    let mut output = BufWriter::with_capacity(GATHERED_BYTES, output);
    let reported = runtime.block_on(report(events, RunReport::new(options), &mut output));
    let flushed = reported.and_then(|()| output.flush());
    let (output, _) = output.into_parts();
    output.finish()?;
    flushed.map_err(BackgroundWriteError::Write)
}

async fn report(
    mut events: EventReceiver,
    mut report: RunReport,
    output: &mut impl Write,
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
    }
}

/// The present moment of the run, from its events' times and the time that passed since.
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
