//! The run as displayed: its current state, or its state when the view was frozen. Owns the model
//! of the run, its logs, and the clock offset between the run and the dashboard.
//!
//! Pure except for the log store's file: time is an argument.

use crate::log::{BUILD_LOG, LogStore};
use crate::model::RunModel;
use maelstrom_model::event::{AttemptEvent, BuildEvent, Event, EventKind, OutputStream};

use super::message::EventSource;

/// The displayed run. See the [module](self) documentation.
#[derive(Debug)]
pub(super) struct ShownRun {
    source: EventSource,
    live: RunModel,
    frozen: Option<FrozenView>,
    logs: LogStore,
    anchor: ClockAnchor,
}

/// The model at the time when the view was frozen, and the number of events since.
#[derive(Debug)]
struct FrozenView {
    model: Box<RunModel>,
    events: u64,
}

/// A point in time on the clock of the run and on that of the dashboard.
#[derive(Clone, Copy, Debug, Default)]
struct ClockAnchor {
    run_us: u64,
    own_us: u64,
}

impl ShownRun {
    /// Creates a run without any events.
    pub(super) fn new(source: EventSource) -> Self {
        ShownRun {
            source,
            live: RunModel::new(),
            frozen: None,
            logs: LogStore::new(),
            anchor: ClockAnchor::default(),
        }
    }

    /// Returns the source of the events.
    pub(super) fn source(&self) -> EventSource {
        self.source
    }

    /// Returns the displayed model: the current one, or the one at the time when the view was
    /// frozen.
    pub(super) fn model(&self) -> &RunModel {
        match &self.frozen {
            Some(frozen) => &frozen.model,
            None => &self.live,
        }
    }

    /// Returns the current model, even if the view is frozen.
    pub(super) fn live(&self) -> &RunModel {
        &self.live
    }

    /// Returns the captured output of all tests and of the build.
    pub(super) fn logs(&self) -> &LogStore {
        &self.logs
    }

    /// Consumes the run and returns its model and logs.
    pub(super) fn into_parts(self) -> (RunModel, LogStore) {
        (self.live, self.logs)
    }

    /// Returns the number of events since the view was frozen; `None` if it is not frozen.
    pub(super) fn frozen_events(&self) -> Option<u64> {
        self.frozen.as_ref().map(|frozen| frozen.events)
    }

    /// Applies an event that arrived at `now_us` on the dashboard's clock.
    pub(super) fn apply(&mut self, event: &Event, now_us: u64) {
        // The displayed time never runs backwards when an event arrives late.
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

    /// Removes the logs of all attempts but the latest of each test.
    pub(super) fn forget_earlier_logs(&mut self) {
        let tests = &self.live.tests;
        self.logs.retain(|(test, attempt)| {
            let latest = tests.latest(test).map(|record| record.attempt);
            latest == Some(attempt)
        });
    }

    /// Excludes the time for which the whole program was stopped.
    pub(super) fn stood_still(&mut self, for_us: u64) {
        self.anchor.own_us += for_us;
    }

    /// Freezes the displayed state, or displays the current state again.
    pub(super) fn toggle_freeze(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(FrozenView {
                model: Box::new(self.live.clone()),
                events: 0,
            }),
        };
    }

    /// Updates the displayed tree. Returns whether its rows have changed.
    pub(super) fn refresh(&mut self) -> bool {
        match &mut self.frozen {
            Some(frozen) => frozen.model.refresh(),
            None => self.live.refresh(),
        }
    }

    /// Returns the time of the run at `now_us` on the dashboard's clock.
    pub(super) fn run_us(&self, now_us: u64) -> u64 {
        if let Some(frozen) = &self.frozen {
            return frozen.model.over_us.unwrap_or(frozen.model.now_us);
        }
        match (self.source, self.live.is_active()) {
            (EventSource::Live, true) => {
                let passed_us = now_us.saturating_sub(self.anchor.own_us);
                self.anchor.run_us + passed_us
            }
            // Events between rounds, such as descriptions, don't advance the displayed time.
            (EventSource::Live, false) | (EventSource::Recording, _) => {
                self.live.over_us.unwrap_or(self.live.now_us)
            }
        }
    }

    /// Returns when the displayed time next changes by a second, on the dashboard's clock.
    pub(super) fn next_second_us(&self, now_us: u64) -> Option<u64> {
        (self.source == EventSource::Live && self.live.is_active()).then(|| {
            // The displayed seconds are those of the run's clock, not of the dashboard's.
            let into_second = self.run_us(now_us) % 1_000_000;
            now_us + 1_000_000 - into_second
        })
    }
}
