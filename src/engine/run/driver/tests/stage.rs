//! Drives a run between the scripted framework and the scripted backend.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::backend::{ScriptedBackend, Trace};
use super::framework::{Act, ScriptedFramework};
use crate::log::Log;
use crate::run::driver::{Setup, drive};
use crate::run::message::{AtEnd, Errand, Wishes};
use crate::run::outlet::Outlet;
use crate::run::signals::Interrupt;
use crate::run::watch::Watching;
use maelstrom_model::event::channel::{EventReceiver, channel};
use maelstrom_model::event::{
    BackendInfo, Command, EventKind, Isolation, RunStarted, SCHEMA_VERSION, Summary,
};
use maelstrom_model::framework::Captured;
use maelstrom_model::ids::RunId;
use maelstrom_model::testing;

/// A run to be driven, and everything a test may want to push or to look at.
pub struct Stage {
    pub wishes: Wishes,
    pub state_directory: Option<PathBuf>,
    pub lose_at_start_of: Option<&'static str>,
    pub commands: Vec<Command>,
    pub interrupts: Vec<Interrupt>,
}

pub struct Played {
    pub code: u8,
    pub events: Vec<EventKind>,
    pub trace: Vec<String>,
    pub listed: Vec<Captured>,
}

impl Default for Stage {
    fn default() -> Self {
        Stage {
            wishes: Wishes {
                errand: Errand::Run,
                repeat: NonZeroU32::MIN,
                stop_after: None,
                at_end: AtEnd::Leave,
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
    /// Drives the run; `react` sees each event as it comes and may push commands and interrupts.
    pub fn play(
        self,
        acts: Vec<Act>,
        mut react: impl FnMut(&EventKind, &UnboundedSender<Command>, &UnboundedSender<Interrupt>),
    ) -> Played {
        // Only for the one timer of the driver, which waits for a backend that does not close.
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
        let log = Log::default();
        let setup = Setup {
            wishes: self.wishes,
            run: run_started(),
            notices: Vec::new(),
            framework: &framework,
            backend,
            outlet: Outlet::new(sender),
            log: &log,
            shell: None,
            commands,
            interrupts,
            watching: Watching::Off,
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
        // Nothing here waits for time or for another thread: a run that stands still without new
        // events stands still for ever.
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

    pub fn just_play(self, acts: Vec<Act>) -> Played {
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
        isolation: Isolation::Container,
    }
}

impl Played {
    pub fn summary(&self) -> Summary {
        let mut summaries = self.events.iter().filter_map(|event| match event {
            EventKind::RoundFinished { round: _, summary } => Some(*summary),
            _ => None,
        });
        let last = summaries.next_back();
        last.expect("a round")
    }

    pub fn says(&self, text: &str) -> bool {
        self.events.iter().any(|event| match event {
            EventKind::Notice(notice) => notice.text.contains(text),
            _ => false,
        })
    }
}
