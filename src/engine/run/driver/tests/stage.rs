//! Drives a run between the scripted framework and the scripted backend.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::backend::{ScriptedBackend, Trace};
use super::framework::{Act, ScriptedFramework};
use crate::log::ProgramLog;
use crate::run::driver::{RunSetup, drive};
use crate::run::event_sink::EventSink;
use crate::run::message::{AtEnd, HistoryFilter, RepeatPlan, RetryPlacement, RunMode, RunOptions};
use crate::run::signals::TerminationSignal;
use crate::run::watch::WatchMode;
use maelstrom_model::event::channel::{EventReceiver, channel};
use maelstrom_model::event::{
    BackendInfo, EventKind, IsolationMode, RoundEvent, RoundSummary, RunStarted, SCHEMA_VERSION,
    UiCommand,
};
use maelstrom_model::framework::CapturedOutput;
use maelstrom_model::ids::RunId;
use maelstrom_model::testing;

/// The setup of a run, with everything that a test may send or inspect.
pub(crate) struct Stage {
    pub wishes: RunOptions,
    pub state_directory: Option<PathBuf>,
    pub lose_at_start_of: Option<&'static str>,
    pub commands: Vec<UiCommand>,
    pub interrupts: Vec<TerminationSignal>,
}

pub(crate) struct Played {
    pub code: u8,
    pub events: Vec<EventKind>,
    pub trace: Vec<String>,
    pub listed: Vec<CapturedOutput>,
}

impl Default for Stage {
    fn default() -> Self {
        Stage {
            wishes: RunOptions {
                errand: RunMode::Run,
                history: HistoryFilter::All,
                repeat: RepeatPlan::ONCE,
                retry_placement: RetryPlacement::Anywhere,
                seed: 7,
                stop_after: None,
                at_end: AtEnd::Leave,
                no_tests: None,
                failure_code: None,
                grace: Duration::from_secs(5),
            },
            state_directory: None,
            lose_at_start_of: None,
            commands: Vec::new(),
            interrupts: Vec::new(),
        }
    }
}

impl Stage {
    /// Drives the run. `react` sees each event and may send commands and signals.
    pub(crate) fn play(
        self,
        acts: Vec<Act>,
        mut react: impl FnMut(
            &EventKind,
            &UnboundedSender<UiCommand>,
            &UnboundedSender<TerminationSignal>,
        ),
    ) -> Played {
        // The timer is needed only for the driver's timeout for closing the backend.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let _runtime = runtime.enter();
        let trace = Trace::default();
        let framework = ScriptedFramework {
            acts,
            listed: RefCell::default(),
            trace: Rc::clone(&trace),
            state_directory: self.state_directory,
            deselected: Cell::new(0),
            failure: Cell::new(None),
        };
        let mut backend = ScriptedBackend::new(&trace);
        backend.lose_at_start_of = self.lose_at_start_of;
        let (command, commands) = unbounded_channel();
        let (interrupt, interrupts) = unbounded_channel();
        for early in self.commands {
            command.send(early).unwrap();
        }
        for early in self.interrupts {
            interrupt.send(early).unwrap();
        }
        let (sender, mut receiver) = channel();
        let log = ProgramLog::default();
        let setup = RunSetup {
            wishes: self.wishes,
            run: run_started(),
            partition: None,
            notices: Vec::new(),
            framework: &framework,
            backend,
            outlet: EventSink::new(sender),
            log: &log,
            shell: None,
            commands,
            interrupts,
            watching: WatchMode::Off,
            limit: None,
            tells_run: false,
        };
        let mut events = Vec::new();
        let mut take = |receiver: &mut EventReceiver| {
            let before = events.len();
            while let Some(event) = receiver.try_recv() {
                react(&event.kind, &command, &interrupt);
                events.push(event.kind);
            }
            events.len() > before
        };
        let mut driving = Box::pin(drive(setup));
        // Nothing here waits for time or another thread, so a run that makes no progress without
        // new events never will.
        let code = loop {
            if let Some(code) = driving.as_mut().now_or_never() {
                break code;
            }
            assert!(take(&mut receiver), "the run stands still");
        };
        take(&mut receiver);
        drop(driving);
        testing::check_stream(&events).unwrap();
        let trace = trace.borrow().clone();
        let listed = framework.listed.take();
        Played {
            code,
            events,
            trace,
            listed,
        }
    }

    pub(crate) fn just_play(self, acts: Vec<Act>) -> Played {
        self.play(acts, |_, _, _| {})
    }
}

fn run_started() -> RunStarted {
    RunStarted {
        schema: SCHEMA_VERSION,
        run: RunId(7),
        program: "cargo-maelstrom".into(),
        version: "1".into(),
        command: vec!["cargo-maelstrom".into()],
        directory: "/project".into(),
        started_unix_ms: 0,
        backend: BackendInfo::Local,
        isolation: IsolationMode::Container,
    }
}

impl Played {
    pub(crate) fn summary(&self) -> RoundSummary {
        let mut summaries = self.events.iter().filter_map(|event| match event {
            EventKind::Round(RoundEvent::Finished { round: _, summary }) => Some(*summary),
            _ => None,
        });
        let last = summaries.next_back();
        last.expect("a round")
    }

    pub(crate) fn says(&self, text: &str) -> bool {
        self.events.iter().any(|event| match event {
            EventKind::Notice(notice) => notice.text.contains(text),
            _ => false,
        })
    }
}
