//! Shows the state of a run in the terminal's title and progress bar, and announces the end of a
//! long run.
//!
//! Everything here is a function of the model and the time, and writes nothing by itself. The
//! sequences move no cursor, so they may come between any two bytes of a report, and after any frame of
//! the dashboard.

use std::fmt::Write as _;

use crate::model::{BuildPhase, RunModel, RunPhase, TestState};
use crate::terminal_features::{TerminalFeature, TerminalFeatureSet};

/// The least time between two changes of the title or the progress bar, in microseconds.
const INTERVAL_US: u64 = 100_000;
/// The shortest run whose end is announced, in microseconds.
const LONG_RUN_US: u64 = 10_000_000;

/// Saves the title of the terminal, and restores it.
const SAVE_TITLE: &str = "\x1b[22;2t";
const RESTORE_TITLE: &str = "\x1b[23;2t";
/// Removes the progress bar.
const NO_PROGRESS: &str = "\x1b]9;4;0\x1b\\";

/// The state of the terminal's title and progress bar.
#[derive(Debug)]
pub(crate) struct TerminalStatus {
    features: TerminalFeatureSet,
    shown: StatusDisplay,
    title: String,
    progress: String,
    changed_us: u64,
}

/// Whether the terminal shows anything that must be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StatusDisplay {
    Nothing,
    Something,
}

impl TerminalStatus {
    pub(crate) fn new(features: TerminalFeatureSet) -> TerminalStatus {
        TerminalStatus {
            features,
            shown: StatusDisplay::Nothing,
            title: String::new(),
            progress: String::new(),
            changed_us: 0,
        }
    }

    /// Returns what to write to show the state of the run; nothing if it shows already, or if the
    /// last change was a moment ago.
    pub(crate) fn update(&mut self, model: &RunModel) -> String {
        let is_early = match (self.shown, model.phase) {
            // Nothing may follow that would show it later.
            (_, RunPhase::RoundOver | RunPhase::Finished { .. }) => false,
            (StatusDisplay::Nothing, _) => false,
            (StatusDisplay::Something, _) => model.now_us < self.changed_us + INTERVAL_US,
        };
        let mut text = String::new();
        if is_early {
            return text;
        }
        if self.features.has(TerminalFeature::Title) {
            let title = title(model);
            if self.title != title {
                if self.title.is_empty() {
                    text.push_str(SAVE_TITLE);
                }
                // Writing to a string cannot fail.
                let _ = write!(text, "\x1b]2;{title}\x1b\\");
                self.title = title;
            }
        }
        if self.features.has(TerminalFeature::Progress) {
            let progress = progress(model);
            if self.progress != progress {
                text.push_str(&progress);
                self.progress = progress;
            }
        }
        if !text.is_empty() {
            self.shown = StatusDisplay::Something;
            self.changed_us = model.now_us;
        }
        text
    }

    /// Returns what to write at the end: it removes what [`TerminalStatus::update`] has shown, and
    /// announces the end of a long run.
    pub(crate) fn end(&mut self, model: &RunModel) -> String {
        self.clear() + &self.announcement(model)
    }

    /// Returns what announces the end of a long run.
    pub(crate) fn announcement(&self, model: &RunModel) -> String {
        let mut text = String::new();
        if model.now_us >= LONG_RUN_US {
            if self.features.has(TerminalFeature::Notification) {
                let result = title(model);
                // Terminals know one of these, and ignore the other.
                let _ = write!(text, "\x1b]777;notify;maelstrom;{result}\x1b\\");
                let _ = write!(text, "\x1b]9;{result}\x1b\\");
            }
            if self.features.has(TerminalFeature::Bell) {
                text.push('\x07');
            }
        }
        text
    }

    /// Returns what to write to remove everything that is shown.
    pub(crate) fn clear(&mut self) -> String {
        self.shown = StatusDisplay::Nothing;
        let progress = match std::mem::take(&mut self.progress).is_empty() {
            true => "",
            false => NO_PROGRESS,
        };
        let title = match std::mem::take(&mut self.title).is_empty() {
            true => "",
            false => RESTORE_TITLE,
        };
        format!("{progress}{title}")
    }
}

fn title(model: &RunModel) -> String {
    let counts = &model.counts;
    let failed = match counts.failures() {
        0 => String::new(),
        some => format!(", {some} failed"),
    };
    match (&model.build, model.phase) {
        (BuildPhase::Going { .. }, _) if counts.total() == 0 => "maelstrom: building".to_owned(),
        (_, RunPhase::RoundOver | RunPhase::Finished { .. }) => {
            format!(
                "maelstrom: {} passed{failed}",
                counts.get(TestState::Passed)
            )
        }
        _ => {
            let more = if model.discovered { "" } else { "+" };
            let (done, total) = (counts.done(), counts.total());
            format!("maelstrom: {done}/{total}{more}{failed}")
        }
    }
}

/// Returns the sequence for the progress bar: indeterminate until all tests are found, then the
/// percentage, in the color of an error if a test has failed; none between rounds.
fn progress(model: &RunModel) -> String {
    match model.phase {
        RunPhase::RoundOver | RunPhase::Finished { .. } => return NO_PROGRESS.to_owned(),
        RunPhase::Starting | RunPhase::Running | RunPhase::Cancelling { .. } => {}
    }
    let (done, total) = (
        u64::from(model.counts.done()),
        u64::from(model.counts.total()),
    );
    match (done * 100).checked_div(total) {
        Some(percent) if model.discovered => {
            let state = if model.counts.failures() > 0 { 2 } else { 1 };
            format!("\x1b]9;4;{state};{percent}\x1b\\")
        }
        Some(_) | None => "\x1b]9;4;3\x1b\\".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::event::{
        Event, EventKind, PreviousOutcome, RunEvent, TestEvent, TestInfo,
    };
    use maelstrom_model::ids::TestId;

    fn model(at_us: u64, tests: u32) -> RunModel {
        let mut model = RunModel::new();
        let infos = (0..tests).map(|test| TestInfo {
            test: TestId(test),
            package: "p".to_owned(),
            artifact: String::new(),
            name: format!("t{test}"),
            title: format!("p t{test}"),
            expected_us: None,
            history: PreviousOutcome::New,
            ignored: false,
        });
        for kind in [
            EventKind::from(TestEvent::Discovered {
                tests: infos.collect(),
            }),
            TestEvent::DiscoveryFinished {
                selected: tests,
                deselected: 0,
            }
            .into(),
            RunEvent::Resumed.into(),
        ] {
            model.apply(&Event { at_us, kind });
        }
        model
    }

    #[test]
    fn what_is_shown_changes_rarely_and_is_removed_at_the_end() {
        use TerminalFeature::{Bell, Notification, Progress, Title};
        let all = [Title, Progress, Bell, Notification].into_iter().collect();
        let mut status = TerminalStatus::new(all);
        let shown = status.update(&model(0, 4));
        assert_eq!(
            shown,
            "\x1b[22;2t\x1b]2;maelstrom: 0/4\x1b\\\x1b]9;4;1;0\x1b\\"
        );
        assert_eq!(status.update(&model(INTERVAL_US - 1, 5)), "");
        assert_eq!(
            status.update(&model(INTERVAL_US, 5)),
            "\x1b]2;maelstrom: 0/5\x1b\\"
        );
        assert_eq!(status.update(&model(9 * INTERVAL_US, 5)), "");
        assert_eq!(
            status.end(&model(LONG_RUN_US - 1, 5)),
            "\x1b]9;4;0\x1b\\\x1b[23;2t"
        );
        assert_eq!(status.end(&model(LONG_RUN_US - 1, 5)), "");
        let told = status.end(&model(LONG_RUN_US, 5));
        assert!(told.starts_with("\x1b]777;notify;maelstrom;"), "{told:?}");
        assert!(told.ends_with('\x07'), "{told:?}");
    }

    #[test]
    fn nothing_is_written_without_features() {
        let mut status = TerminalStatus::new(TerminalFeatureSet::NONE);
        assert_eq!(status.update(&model(0, 4)), "");
        assert_eq!(status.end(&model(LONG_RUN_US, 4)), "");
    }
}
