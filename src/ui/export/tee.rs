//! Writes reports beside the user interface: each event goes into the reports, then on to the
//! interface.
//!
//! A report that cannot be written costs no result: a notice says so, and the run continues.

use std::io;
use std::thread::JoinHandle;

use maelstrom_model::error::with_causes;
use maelstrom_model::event::channel::{EventReceiver, EventSender, channel};
use maelstrom_model::event::{Event, EventKind, NoticeSeverity, UserNotice};

use super::FileExport;

/// Whether all reports of a run were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportsWritten {
    Complete,
    /// At least one of them is missing or is not up to date.
    Incomplete,
}

/// The thread that writes reports. Join it before the program ends.
pub type ReportThread = JoinHandle<ReportsWritten>;

/// Feeds events to reports, and passes them on to the returned receiver. The thread ends when the
/// event channel closes.
pub fn tee(
    events: EventReceiver,
    reports: Vec<Box<dyn FileExport>>,
) -> io::Result<(EventReceiver, ReportThread)> {
    let (sender, passed_on) = channel();
    let thread = std::thread::Builder::new()
        .name("reports".to_owned())
        .spawn(move || pass_on(events, &sender, reports))?;
    Ok((passed_on, thread))
}

fn pass_on(
    mut events: EventReceiver,
    to: &EventSender,
    mut reports: Vec<Box<dyn FileExport>>,
) -> ReportsWritten {
    let mut last_us = 0;
    let mut written = ReportsWritten::Complete;
    while let Some(event) = events.blocking_recv() {
        last_us = event.at_us;
        // Before the event is passed on, so that the summary at the end of a round has the notices.
        for report in &mut reports {
            if let Err(error) = report.apply(&event) {
                written = ReportsWritten::Incomplete;
                to.send(notice(last_us, &error));
            }
        }
        to.send(event);
    }
    for report in &mut reports {
        if let Err(error) = report.finish() {
            written = ReportsWritten::Incomplete;
            to.send(notice(last_us, &error));
        }
    }
    written
}

fn notice(at_us: u64, error: &dyn std::error::Error) -> Event {
    let kind = EventKind::Notice(UserNotice {
        severity: NoticeSeverity::Error,
        text: with_causes(error),
        help: None,
        in_summary: true,
    });
    Event { at_us, kind }
}
