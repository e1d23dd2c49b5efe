//! Controls of the run: rerun, cancel, pause, open a shell and quit. Also decides when the
//! dashboard closes.

use crate::model::{RunPhase, TestState};
use maelstrom_model::event::UiCommand;
use maelstrom_model::ids::TestId;

use super::context::Context;
use super::message::{AppEffect, EventSource, ExternalProgram, OnFinish, PlaybackState};

/// The controls of the run. See the [module](self) documentation.
#[derive(Debug)]
pub(super) struct RunControls {
    on_finish: OnFinish,
    playback: PlaybackState,
    shell_wanted: Option<TestId>,
    leaving: bool,
    /// Whether the user has pressed a key or used the mouse. If so, the dashboard never closes by
    /// itself with `OnFinish::Auto`.
    touched: bool,
}

impl RunControls {
    pub(super) fn new(on_finish: OnFinish, playback: PlaybackState) -> Self {
        RunControls {
            on_finish,
            playback,
            shell_wanted: None,
            leaving: false,
            touched: false,
        }
    }

    /// Returns whether a recording is playing or paused.
    pub(super) fn playback(&self) -> PlaybackState {
        self.playback
    }

    /// Records that the user has pressed a key or used the mouse.
    pub(super) fn touch(&mut self) {
        self.touched = true;
    }

    /// Pauses or resumes the start of further tests, or the playback of a recording.
    pub(super) fn toggle_pause(&mut self, ctx: &mut Context<'_>) {
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

    /// Pauses a recording and shows its next event.
    pub(super) fn step(&mut self, ctx: &mut Context<'_>) {
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

    /// Reruns tests. If there are none, shows the message `none` instead.
    pub(super) fn rerun(&self, tests: Vec<TestId>, none: &'static str, ctx: &mut Context<'_>) {
        if ctx.run.source() == EventSource::Recording {
            ctx.notice("a recording cannot run tests");
        } else if tests.is_empty() {
            ctx.notice(none);
        } else {
            ctx.outside(AppEffect::Send(UiCommand::Rerun { tests }));
        }
    }

    /// Cancels those of the tests that are queued or running.
    pub(super) fn cancel_tests(&self, tests: Vec<TestId>, ctx: &mut Context<'_>) {
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

    /// Cancels the run if it is active.
    pub(super) fn cancel_run(&self, ctx: &mut Context<'_>) {
        if ctx.run.live().is_active() {
            ctx.outside(AppEffect::Send(UiCommand::Cancel));
        } else {
            ctx.notice("nothing runs");
        }
    }

    /// Opens a shell in a test's container, after requesting its description if necessary.
    pub(super) fn shell(&mut self, test: Option<TestId>, ctx: &mut Context<'_>) {
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

    /// Handles the arrival of a description: opens the shell that was waiting for it.
    pub(super) fn described(&mut self, test: TestId, ctx: &mut Context<'_>) {
        if self.shell_wanted == Some(test) {
            self.shell_wanted = None;
            open_shell(test, ctx);
        }
    }

    /// Cancels the run if it is active, and closes the dashboard when it has finished. The second
    /// call kills running tests.
    pub(super) fn leave(&mut self, ctx: &mut Context<'_>) {
        let live = ctx.run.live();
        // Close now, because no event will close the dashboard: the run has finished already, or it
        // is a recording.
        if ctx.run.source() == EventSource::Recording
            || matches!(live.phase, RunPhase::Finished { .. })
        {
            ctx.outside(AppEffect::Send(UiCommand::Leave));
            ctx.outside(AppEffect::Close);
            return;
        }
        if live.is_active() {
            // A user who quits again doesn't want to wait for the grace period of the cancellation.
            let command = if self.leaving {
                UiCommand::Kill
            } else {
                UiCommand::Cancel
            };
            ctx.outside(AppEffect::Send(command));
        }
        // The run remembers the request, so one is enough.
        if !self.leaving {
            ctx.outside(AppEffect::Send(UiCommand::Leave));
        }
        self.leaving = true;
    }

    /// Handles the end of a round, after which `reruns_queued` tests run again.
    pub(super) fn round_finished(&mut self, reruns_queued: u32, ctx: &mut Context<'_>) {
        // With queued reruns another round follows, so the dashboard stays open.
        if reruns_queued == 0 && !self.leaving && self.closes_by_itself(ctx) {
            self.leaving = true;
            ctx.outside(AppEffect::Send(UiCommand::Leave));
        }
    }

    /// Handles the end of the run.
    pub(super) fn run_finished(&self, exit_code: u8, ctx: &mut Context<'_>) {
        if self.leaving || (exit_code == 0 && self.closes_by_itself(ctx)) {
            ctx.outside(AppEffect::Close);
        }
    }

    /// Returns whether the dashboard closes by itself at the end of the run. With `OnFinish::Auto`
    /// it closes only if nothing is wrong and the user has not pressed a key or used the mouse.
    fn closes_by_itself(&self, ctx: &Context<'_>) -> bool {
        match (self.on_finish, ctx.run.source()) {
            (OnFinish::Auto, EventSource::Live) => ctx.run.live().is_green() && !self.touched,
            // The user of a recording wants to look at it, whatever the outcome of the run.
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
