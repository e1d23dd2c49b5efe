//! The run that the screens show: as it is, or as it was when the view was frozen. Owns the run's
//! model, its output, and the clock that ties it to the dashboard's.
//!
//! Pure except for the log store's file: time is an argument.

use crate::log::{BUILD_LOG, LogStore};
use crate::model::RunModel;
use maelstrom_model::event::{AttemptEvent, BuildEvent, Event, EventKind, OutputStream};

use super::message::EventSource;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct ShownRun {
    source: EventSource,
    live: RunModel,
    frozen: Option<FrozenView>,
    logs: LogStore,
    anchor: ClockAnchor,
}

/// What was shown when the view was frozen.
#[derive(Debug)]
struct FrozenView {
    model: Box<RunModel>,
    events: u64,
}

/// Ties the run's clock to the dashboard's.
#[derive(Clone, Copy, Debug, Default)]
struct ClockAnchor {
    run_us: u64,
    own_us: u64,
}

impl ShownRun {
    /// A run of which nothing is known.
    pub fn new(source: EventSource) -> Self {
        ShownRun {
            source,
            live: RunModel::new(),
            frozen: None,
            logs: LogStore::new(),
            anchor: ClockAnchor::default(),
        }
    }

    /// Where its events come from.
    pub fn source(&self) -> EventSource {
        self.source
    }

    /// What is shown: the run as it is, or as it was when the view was frozen.
    pub fn model(&self) -> &RunModel {
        match &self.frozen {
            Some(frozen) => &frozen.model,
            None => &self.live,
        }
    }

    /// The run as it is.
    pub fn live(&self) -> &RunModel {
        &self.live
    }

    /// All output.
    pub fn logs(&self) -> &LogStore {
        &self.logs
    }

    /// Gives the run and its output away.
    pub fn into_parts(self) -> (RunModel, LogStore) {
        (self.live, self.logs)
    }

    /// Events that came since the view was frozen; `None` when it is not.
    pub fn frozen_events(&self) -> Option<u64> {
        self.frozen.as_ref().map(|frozen| frozen.events)
    }

    /// Takes in an event at `now_us` of the dashboard's own clock.
    pub fn apply(&mut self, event: &Event, now_us: u64) {
        // The clock shown never runs backwards when an event arrives late.
        let run_us = self.run_us(now_us).max(event.at_us);
        self.live.apply(event);
        self.anchor = ClockAnchor {
            run_us,
            own_us: now_us,
        };
        if let Some(frozen) = &mut self.frozen {
            frozen.events += 1;
        }
        match &event.kind {
            EventKind::Build(BuildEvent::Output { text }) => {
                self.logs
                    .append(BUILD_LOG, OutputStream::Stderr, &text.0, event.at_us);
            }
            EventKind::Attempt(AttemptEvent::Output {
                test,
                attempt,
                stream,
                text,
            }) => self
                .logs
                .append((*test, *attempt), *stream, &text.0, event.at_us),
            _ => {}
        }
    }

    /// Of the logs those of the latest attempts stay.
    pub fn forget_earlier_logs(&mut self) {
        let tests = &self.live.tests;
        self.logs.retain(|(test, attempt)| {
            let latest = tests.latest(test).map(|record| record.attempt);
            latest == Some(attempt)
        });
    }

    /// The whole program stood still for this long.
    pub fn stood_still(&mut self, for_us: u64) {
        self.anchor.own_us += for_us;
    }

    /// Freezes what is shown, or shows the run as it is again.
    pub fn toggle_freeze(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(FrozenView {
                model: Box::new(self.live.clone()),
                events: 0,
            }),
        };
    }

    /// Makes right what is shown. Says whether the order of the tree's rows is another one now.
    pub fn refresh(&mut self) -> bool {
        match &mut self.frozen {
            Some(frozen) => frozen.model.refresh(),
            None => self.live.refresh(),
        }
    }

    /// The run's clock at `now_us` of the dashboard's own.
    pub fn run_us(&self, now_us: u64) -> u64 {
        if let Some(frozen) = &self.frozen {
            return frozen.model.over_us.unwrap_or(frozen.model.now_us);
        }
        match (self.source, self.live.is_active()) {
            (EventSource::Live, true) => {
                let passed_us = now_us.saturating_sub(self.anchor.own_us);
                self.anchor.run_us + passed_us
            }
            // What is told between rounds (a description, say) moves no clock.
            (EventSource::Live, false) | (EventSource::Recording, _) => {
                self.live.over_us.unwrap_or(self.live.now_us)
            }
        }
    }

    /// When the run's clock shows the next second, on the dashboard's own clock.
    pub fn next_second_us(&self, now_us: u64) -> Option<u64> {
        (self.source == EventSource::Live && self.live.is_active()).then(|| {
            // The clock shows whole seconds of the run, not of the dashboard.
            let into_second = self.run_us(now_us) % 1_000_000;
            now_us + 1_000_000 - into_second
        })
    }
}
