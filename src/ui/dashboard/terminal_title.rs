//! Shows the state of the run in the terminal's title and progress bar while the dashboard is open, and
//! announces the end of a long run once.
//!
//! Restoring the terminal removes what is shown ([`terminal::restore`]).

use crate::model::{RunModel, RunPhase};
use crate::terminal;
use crate::terminal_features::TerminalFeatureSet;
use crate::terminal_status::TerminalStatus;

/// What the terminal shows beside the dashboard.
#[derive(Debug)]
pub(super) struct DashboardStatus {
    status: TerminalStatus,
    end: EndAnnouncement,
}

/// Whether the end of the run was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndAnnouncement {
    Pending,
    Made,
}

impl DashboardStatus {
    pub(super) fn new(features: TerminalFeatureSet) -> DashboardStatus {
        DashboardStatus {
            status: TerminalStatus::new(features),
            end: EndAnnouncement::Pending,
        }
    }

    /// Returns what to write after a frame to show the state of the run.
    pub(super) fn update(&mut self, model: &RunModel) -> Vec<u8> {
        let mut text = self.status.update(model);
        if !text.is_empty() {
            terminal::status_is_shown();
        }
        let is_over = match model.phase {
            RunPhase::RoundOver | RunPhase::Finished { .. } => true,
            RunPhase::Starting | RunPhase::Running | RunPhase::Cancelling { .. } => false,
        };
        if is_over && self.end == EndAnnouncement::Pending {
            self.end = EndAnnouncement::Made;
            text.push_str(&self.status.announcement(model));
        }
        text.into_bytes()
    }

    /// Notes that the terminal was restored and shows nothing.
    pub(super) fn forget(&mut self) {
        drop(self.status.clear());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal_features::TerminalFeature;
    use maelstrom_model::event::{Event, EventKind, RoundCause, RoundEvent, RoundSummary};

    fn apply(model: &mut RunModel, at_us: u64, event: RoundEvent) {
        let kind = EventKind::Round(event);
        model.apply(&Event { at_us, kind });
    }

    #[test]
    fn the_title_follows_the_run_and_its_end_is_announced_once() {
        use TerminalFeature::{Bell, Progress, Title};
        let mut status = DashboardStatus::new([Title, Progress, Bell].into_iter().collect());
        let mut model = RunModel::new();
        let round = |round| RoundEvent::Started {
            round,
            cause: RoundCause::Start,
        };
        let over = |round| RoundEvent::Finished {
            round,
            summary: RoundSummary::default(),
        };
        let mut shown = |model: &RunModel| String::from_utf8(status.update(model)).unwrap();
        apply(&mut model, 60_000_000, round(1));
        let text = shown(&model);
        assert!(text.contains("\x1b]2;maelstrom: 0/0"), "{text:?}");
        assert!(text.contains("\x1b]9;4;3"), "{text:?}");
        assert_eq!(shown(&model), "");
        // Shown although the last change was a moment ago.
        apply(&mut model, 60_000_001, over(1));
        let text = shown(&model);
        assert!(text.contains("maelstrom: 0 passed"), "{text:?}");
        assert!(
            text.contains("\x1b]9;4;0") && text.ends_with('\x07'),
            "{text:?}"
        );
        apply(&mut model, 70_000_000, round(2));
        assert!(shown(&model).contains("0/0"));
        apply(&mut model, 80_000_000, over(2));
        assert!(!shown(&model).contains('\x07'));
        // What another program has removed is shown again.
        status.forget();
        assert!(
            String::from_utf8(status.update(&model))
                .unwrap()
                .contains("passed")
        );
        let mut none = DashboardStatus::new(TerminalFeatureSet::NONE);
        assert_eq!(none.update(&model), b"");
    }
}
