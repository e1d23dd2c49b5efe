//! Applies the events of the run to the app and its components.

use crate::report::changed;
use maelstrom_model::event::{
    AttemptEvent, Event, EventKind, RoundCause, RoundEvent, RunEvent, TestEvent, WatchEvent,
};

use super::super::context::ComponentEffect;
use super::super::overlay::ScreenOverlay;
use super::App;

impl App {
    pub(super) fn event(&mut self, event: Event, now_us: u64, effects: &mut Vec<ComponentEffect>) {
        // Read before the model resets the count at the end of the round.
        let reruns_queued = self.run.live().rerun_queued;
        self.run.apply(&event, now_us);
        match &event.kind {
            EventKind::Round(RoundEvent::Started { cause, .. }) => match cause {
                RoundCause::Start | RoundCause::Rerun => {}
                RoundCause::Watch => {
                    self.run.forget_earlier_logs();
                    self.panes.tests.invalidate();
                }
            },
            EventKind::Watch(WatchEvent::FilesChanged { paths, more }) => {
                let text = format!("{} changed: running again", changed(paths, *more));
                self.status.show(text, now_us);
            }
            EventKind::Attempt(AttemptEvent::Finished(_)) => self.panes.tests.data_changed(),
            EventKind::Round(RoundEvent::RerunQueued { tests }) => {
                let text = format!("{tests} tests will run again when this round is over");
                self.status.show(text, now_us);
            }
            EventKind::Notice(notice) => self.status.show(notice.text.clone(), now_us),
            EventKind::Test(TestEvent::Described(description)) => {
                let test = description.test;
                self.with_controls(effects, |controls, ctx| {
                    controls.described(test, ctx);
                });
            }
            EventKind::Round(RoundEvent::Finished { .. }) => {
                self.with_controls(effects, |controls, ctx| {
                    controls.round_finished(reruns_queued, ctx);
                });
                self.panes.tests.invalidate();
                // The user was asked whether to quit while tests run. None is running now, so quit.
                if matches!(self.overlay, Some(ScreenOverlay::ConfirmQuit)) {
                    self.overlay = None;
                    effects.push(ComponentEffect::Leave);
                }
            }
            EventKind::Run(RunEvent::Finished { exit_code }) => {
                self.panes.tests.invalidate();
                self.with_controls(effects, |controls, ctx| {
                    controls.run_finished(*exit_code, ctx);
                });
            }
            _ => {}
        }
    }
}
