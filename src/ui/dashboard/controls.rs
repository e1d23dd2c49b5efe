//! What a person asks of the run: to run tests again, to cancel, to pause, to leave. Owns what is
//! still to be answered, and decides when the dashboard closes.

use crate::model::{RunPhase, TestState};
use maelstrom_model::event::UiCommand;
use maelstrom_model::ids::TestId;

use super::context::Context;
use super::message::{AppEffect, EventSource, ExternalProgram, OnFinish, PlaybackState};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct RunControls {
    on_finish: OnFinish,
    playback: PlaybackState,
    shell_wanted: Option<TestId>,
    leaving: bool,
    /// Whether the person has done anything: then only they close the dashboard.
    touched: bool,
}

impl RunControls {
    pub fn new(on_finish: OnFinish, playback: PlaybackState) -> Self {
        RunControls {
            on_finish,
            playback,
            shell_wanted: None,
            leaving: false,
            touched: false,
        }
    }

    /// Whether a recording moves.
    pub fn playback(&self) -> PlaybackState {
        self.playback
    }

    /// The person has done something.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// Pauses (or resumes) the starting of tests, or a recording.
    pub fn toggle_pause(&mut self, ctx: &mut Context<'_>) {
        let paused = match ctx.run.source() {
            EventSource::Live => ctx.run.live().paused,
            EventSource::Recording => self.playback == PlaybackState::Paused,
        };
        let (command, playback) = match paused {
            true => (UiCommand::Resume, PlaybackState::Going),
            false => (UiCommand::Pause, PlaybackState::Paused),
        };
        self.playback = playback;
        ctx.outside(AppEffect::Send(command));
    }

    /// Shows the next event of a recording, which pauses it.
    pub fn step(&mut self, ctx: &mut Context<'_>) {
        match ctx.run.source() {
            EventSource::Recording => {
                if self.playback == PlaybackState::Going {
                    self.toggle_pause(ctx);
                }
                ctx.outside(AppEffect::Step);
            }
            EventSource::Live => ctx.notice("only a recording can be stepped through"),
        }
    }

    /// Runs tests again; `none` is what to say if there are none.
    pub fn rerun(&self, tests: Vec<TestId>, none: &'static str, ctx: &mut Context<'_>) {
        if ctx.run.source() == EventSource::Recording {
            ctx.notice("a recording cannot run tests");
        } else if tests.is_empty() {
            ctx.notice(none);
        } else {
            ctx.outside(AppEffect::Send(UiCommand::Rerun { tests }));
        }
    }

    /// Cancels those of some tests that have not ended.
    pub fn cancel_tests(&self, tests: Vec<TestId>, ctx: &mut Context<'_>) {
        let states = &ctx.run.live().tests;
        let is_open = |test: &TestId| {
            let state = states.state(*test);
            matches!(state, TestState::Running | TestState::Queued)
        };
        let mut open = tests.into_iter().filter(is_open).peekable();
        if open.peek().is_none() {
            ctx.notice("what is selected does not run");
        }
        for test in open {
            ctx.outside(AppEffect::Send(UiCommand::CancelTest { test }));
        }
    }

    /// Cancels the run.
    pub fn cancel_run(&self, ctx: &mut Context<'_>) {
        if ctx.run.live().is_active() {
            ctx.outside(AppEffect::Send(UiCommand::Cancel));
        } else {
            ctx.notice("nothing runs");
        }
    }

    /// Opens a shell in a test's container, once its command is known.
    pub fn shell(&mut self, test: Option<TestId>, ctx: &mut Context<'_>) {
        let Some(test) = test else {
            ctx.notice("no test is selected");
            return;
        };
        let is_known = ctx.model().description(test).is_some();
        if is_known || ctx.run.source() == EventSource::Recording {
            open_shell(test, ctx);
        } else {
            self.shell_wanted = Some(test);
            ctx.outside(AppEffect::Send(UiCommand::Describe { test }));
        }
    }

    /// A test was described.
    pub fn described(&mut self, test: TestId, ctx: &mut Context<'_>) {
        if self.shell_wanted == Some(test) {
            self.shell_wanted = None;
            open_shell(test, ctx);
        }
    }

    /// Leaves the run: cancels what still runs, and closes when that has ended.
    pub fn leave(&mut self, ctx: &mut Context<'_>) {
        let live = ctx.run.live();
        // No event would come that closes the dashboard: the run is over already, or the recording
        // only stops being shown.
        if ctx.run.source() == EventSource::Recording
            || matches!(live.phase, RunPhase::Finished { .. })
        {
            ctx.outside(AppEffect::Send(UiCommand::Leave));
            ctx.outside(AppEffect::Close);
            return;
        }
        if live.is_active() {
            // Who asks again does not want to wait for the grace that a cancellation gives.
            let command = if self.leaving {
                UiCommand::Kill
            } else {
                UiCommand::Cancel
            };
            ctx.outside(AppEffect::Send(command));
        }
        // The run does not forget it, so once is enough.
        if !self.leaving {
            ctx.outside(AppEffect::Send(UiCommand::Leave));
        }
        self.leaving = true;
    }

    /// A round is over, and so many tests had waited to run again.
    pub fn round_finished(&mut self, reruns_queued: u32, ctx: &mut Context<'_>) {
        // Tests that waited to run again begin another round, so the dashboard stays for it.
        if reruns_queued == 0 && !self.leaving && self.closes_by_itself(ctx) {
            self.leaving = true;
            ctx.outside(AppEffect::Send(UiCommand::Leave));
        }
    }

    /// The run is over.
    pub fn run_finished(&self, exit_code: u8, ctx: &mut Context<'_>) {
        if self.leaving || (exit_code == 0 && self.closes_by_itself(ctx)) {
            ctx.outside(AppEffect::Close);
        }
    }

    /// Whether a run that is over leaves nothing for the person to see: then the dashboard closes
    /// unless they have pressed a key, which may be the first of several.
    fn closes_by_itself(&self, ctx: &Context<'_>) -> bool {
        match (self.on_finish, ctx.run.source()) {
            (OnFinish::Auto, EventSource::Live) => ctx.run.live().is_green() && !self.touched,
            // Who shows a recording wants to see it, whatever became of the run.
            (OnFinish::Auto, EventSource::Recording) | (OnFinish::Stay, _) => false,
            (OnFinish::Exit, _) => true,
        }
    }
}

fn open_shell(test: TestId, ctx: &mut Context<'_>) {
    let description = ctx.run.live().description(test);
    match description.and_then(|description| description.shell.clone()) {
        Some(command) => ctx.outside(AppEffect::Run(ExternalProgram::Shell { command })),
        None => ctx.notice("no shell can be opened for this test"),
    }
}
