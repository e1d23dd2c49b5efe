//! Carries out actions, and the requests of components. Actions of a pane go to that pane; those
//! that involve several components are handled here.

use maelstrom_model::ids::TestId;

use super::super::context::{ComponentEffect, MoveDirection};
use super::super::keys::DashboardAction;
use super::super::message::{
    AppEffect, EventSource, ExternalProgram, MouseCapture, PaneKind, ScreenKind,
};
use super::super::overlay::{
    CommandPalette, HelpOverlay, ScreenOverlay, SearchPrompt, SearchTarget,
};
use super::super::panes::detail::failure_location;
use super::App;

impl App {
    /// Carries out the action of a key.
    pub(super) fn act(&mut self, action: DashboardAction, effects: &mut Vec<ComponentEffect>) {
        if let Some(pane) = self.pane_of(action) {
            self.with_pane(pane, effects, |pane, ctx| {
                pane.on_action(action, ctx);
            });
            if matches!(
                action,
                DashboardAction::Down
                    | DashboardAction::Up
                    | DashboardAction::PageDown
                    | DashboardAction::PageUp
            ) {
                self.describe_shown(effects);
            }
            return;
        }
        match action {
            DashboardAction::Overview => self.screens.go(ScreenKind::Overview),
            DashboardAction::Tests => self.screens.go(ScreenKind::Tests),
            DashboardAction::Workers => self.screens.go(ScreenKind::Workers),
            DashboardAction::Cluster => self.screens.go(ScreenKind::Cluster),
            DashboardAction::Detail => {
                let model = self.run.model();
                let test = self.current_test().or(self.panes.detail.test());
                let test = test.or_else(|| self.panes.failures.selected(model));
                let test = test.or_else(|| self.panes.running.selected(model));
                self.open_detail(test, effects);
            }
            DashboardAction::NextPane => self.screens.next_pane(1),
            DashboardAction::PreviousPane => self.screens.next_pane(-1),
            DashboardAction::Zoom => self.screens.toggle_zoom(),
            DashboardAction::NextFailure => {
                self.next_failure(MoveDirection::Next, effects);
            }
            DashboardAction::PreviousFailure => {
                self.next_failure(MoveDirection::Previous, effects);
            }
            DashboardAction::Open => self.open(effects),
            DashboardAction::Back => self.back(),
            DashboardAction::Search => self.begin_search(),
            DashboardAction::Palette => {
                self.overlay = Some(ScreenOverlay::Palette(CommandPalette::default()));
            }
            DashboardAction::Help => {
                self.overlay = Some(ScreenOverlay::Help(HelpOverlay::default()));
            }
            DashboardAction::Mark => {
                let tests = self.selected_tests();
                self.panes.tests.toggle_marks(tests);
                self.act(DashboardAction::Down, effects);
            }
            DashboardAction::Rerun => {
                let tests = if self.panes.tests.marked().is_empty() {
                    self.selected_tests()
                } else {
                    self.panes.tests.take_marked()
                };
                self.rerun(tests, "no test is selected", effects);
            }
            DashboardAction::RerunFailed => {
                let tests = self.run.live().failures.clone();
                self.rerun(tests, "nothing has failed", effects);
            }
            DashboardAction::RerunAll => {
                let tests = self.run.live().tests.ids().collect();
                self.rerun(tests, "there are no tests yet", effects);
            }
            DashboardAction::CancelTest => {
                let tests = self.selected_tests();
                self.with_controls(effects, |controls, ctx| {
                    controls.cancel_tests(tests, ctx);
                });
            }
            DashboardAction::CancelRun => {
                self.with_controls(effects, |controls, ctx| controls.cancel_run(ctx));
            }
            DashboardAction::Freeze => {
                self.run.toggle_freeze();
                self.panes.tests.invalidate();
            }
            DashboardAction::PauseStarting => {
                self.with_controls(effects, |controls, ctx| controls.toggle_pause(ctx));
            }
            DashboardAction::Step => {
                self.with_controls(effects, |controls, ctx| controls.step(ctx));
            }
            DashboardAction::Shell => {
                let test = self.current_test();
                self.with_controls(effects, |controls, ctx| controls.shell(test, ctx));
            }
            DashboardAction::Edit => match self.location() {
                Some((path, line)) => effects.push(ComponentEffect::Outside(AppEffect::Run(
                    ExternalProgram::Editor { path, line },
                ))),
                None => effects.push(ComponentEffect::Notice(
                    "it is not known where in the source this test failed".into(),
                )),
            },
            DashboardAction::CopyName => match self.current_test() {
                Some(test) => {
                    let name = self.run.model().tests.title(test).to_owned();
                    effects.push(ComponentEffect::Notice("the name was copied".into()));
                    effects.push(ComponentEffect::Outside(AppEffect::Copy(name)));
                }
                None => effects.push(ComponentEffect::Notice("no test is selected".into())),
            },
            DashboardAction::Mouse => {
                self.mouse = match self.mouse {
                    MouseCapture::Taken => MouseCapture::Given,
                    MouseCapture::Given => MouseCapture::Taken,
                };
                effects.push(ComponentEffect::Outside(AppEffect::Mouse(self.mouse)));
            }
            DashboardAction::Repaint => {
                effects.push(ComponentEffect::Outside(AppEffect::Repaint));
            }
            DashboardAction::Suspend => {
                effects.push(ComponentEffect::Outside(AppEffect::Suspend));
            }
            DashboardAction::Interrupt => effects.push(ComponentEffect::Leave),
            DashboardAction::Quit => {
                if self.run.live().is_active() && self.run.source() == EventSource::Live {
                    self.overlay = Some(ScreenOverlay::ConfirmQuit);
                } else {
                    effects.push(ComponentEffect::Leave);
                }
            }
            // Handled by the panes; see `pane_of`.
            DashboardAction::Down
            | DashboardAction::Up
            | DashboardAction::PageDown
            | DashboardAction::PageUp
            | DashboardAction::Top
            | DashboardAction::Bottom
            | DashboardAction::Left
            | DashboardAction::Right
            | DashboardAction::FoldAll
            | DashboardAction::UnfoldAll
            | DashboardAction::FailuresOnly
            | DashboardAction::Sort
            | DashboardAction::NextMatch
            | DashboardAction::PreviousMatch
            | DashboardAction::Follow
            | DashboardAction::Wrap
            | DashboardAction::Timestamps
            | DashboardAction::Streams
            | DashboardAction::Pager
            | DashboardAction::CopyLog => {}
        }
    }

    /// Returns the pane that handles an action; `None` if the app handles it.
    fn pane_of(&self, action: DashboardAction) -> Option<PaneKind> {
        match action {
            DashboardAction::Down
            | DashboardAction::Up
            | DashboardAction::PageDown
            | DashboardAction::PageUp
            | DashboardAction::Top
            | DashboardAction::Bottom
            | DashboardAction::Left
            | DashboardAction::Right => Some(self.screens.focus()),
            DashboardAction::FoldAll
            | DashboardAction::UnfoldAll
            | DashboardAction::FailuresOnly
            | DashboardAction::Sort => Some(PaneKind::Tests),
            DashboardAction::NextMatch | DashboardAction::PreviousMatch => {
                match self.screens.focus() {
                    PaneKind::Tests => Some(PaneKind::Tests),
                    _ => Some(PaneKind::Log),
                }
            }
            DashboardAction::Follow
            | DashboardAction::Wrap
            | DashboardAction::Timestamps
            | DashboardAction::Streams
            | DashboardAction::Pager
            | DashboardAction::CopyLog => Some(PaneKind::Log),
            _ => None,
        }
    }

    /// Carries out the request of a component.
    pub(super) fn carry_out(
        &mut self,
        effect: ComponentEffect,
        now_us: u64,
        effects: &mut Vec<ComponentEffect>,
    ) {
        match effect {
            ComponentEffect::Outside(_) => effects.push(effect),
            ComponentEffect::Notice(text) => self.status.show(text, now_us),
            ComponentEffect::Go(screen) => self.screens.go(screen),
            ComponentEffect::OpenDetail(test) => self.open_detail(test, effects),
            ComponentEffect::Act(action) => self.act(action, effects),
            ComponentEffect::OtherAttempt(direction) => {
                if self.screens.screen() == ScreenKind::Detail {
                    let model = self.run.model();
                    self.panes.detail.change_attempt(direction, model);
                }
            }
            ComponentEffect::FindTests { pattern, syntax } => {
                let found = self.panes.tests.find(&pattern, syntax, self.run.model());
                if let Some(overlay) = &mut self.overlay {
                    overlay.set_error(found.err());
                }
            }
            ComponentEffect::ClearFinder => self.panes.tests.clear_finder(self.run.model()),
            ComponentEffect::MoveFound(by) => {
                self.with_pane(PaneKind::Tests, effects, |pane, ctx| {
                    pane.move_by(by, ctx);
                });
            }
            ComponentEffect::SearchLog(pattern) => match self.panes.log.set_search(&pattern) {
                Ok(()) => {
                    self.overlay = None;
                    self.screens.set_focus(PaneKind::Log);
                    if !pattern.is_empty() {
                        self.act(DashboardAction::NextMatch, effects);
                    }
                }
                Err(error) => {
                    if let Some(overlay) = &mut self.overlay {
                        overlay.set_error(Some(error));
                    }
                }
            },
            ComponentEffect::Leave => {
                self.with_controls(effects, |controls, ctx| controls.leave(ctx));
            }
        }
    }

    fn selected_tests(&self) -> Vec<TestId> {
        self.panes.selected_tests(&self.screens, self.run.model())
    }

    fn rerun(
        &mut self,
        tests: Vec<TestId>,
        none: &'static str,
        effects: &mut Vec<ComponentEffect>,
    ) {
        self.with_controls(effects, |controls, ctx| {
            controls.rerun(tests, none, ctx);
        });
    }

    fn open(&mut self, effects: &mut Vec<ComponentEffect>) {
        match self.screens.screen() {
            ScreenKind::Tests if self.panes.tests.toggle_fold() => {}
            ScreenKind::Overview | ScreenKind::Tests => {
                self.open_detail(self.current_test(), effects);
            }
            ScreenKind::Detail | ScreenKind::Workers | ScreenKind::Cluster => {}
        }
    }

    fn open_detail(&mut self, test: Option<TestId>, effects: &mut Vec<ComponentEffect>) {
        self.panes.detail.show(test);
        self.screens.go_to_detail();
        self.describe_shown(effects);
    }

    /// Requests the description of the test on the detail screen, if the screen is displayed and
    /// the description is missing.
    pub(super) fn describe_shown(&self, effects: &mut Vec<ComponentEffect>) {
        if self.screens.screen() == ScreenKind::Detail
            && let Some(command) = self.panes.detail.missing(&self.run)
        {
            effects.push(ComponentEffect::Outside(AppEffect::Send(command)));
        }
    }

    fn next_failure(&mut self, direction: MoveDirection, effects: &mut Vec<ComponentEffect>) {
        let here = match self.screens.screen() {
            ScreenKind::Overview => self.panes.failures.chosen(),
            _ => self.current_test(),
        };
        let (next, wrapped) = self
            .panes
            .failures
            .select_next(here, direction, self.run.model());
        if let Some(text) = wrapped {
            effects.push(ComponentEffect::Notice(text.into()));
        }
        let Some(test) = next else { return };
        match self.screens.screen() {
            ScreenKind::Overview => self.screens.set_focus(PaneKind::Failures),
            ScreenKind::Tests => self.panes.tests.reveal(test, self.run.model()),
            ScreenKind::Detail => self.open_detail(Some(test), effects),
            ScreenKind::Workers | ScreenKind::Cluster => self.screens.go(ScreenKind::Overview),
        }
    }

    fn back(&mut self) {
        if self.screens.unzoom() {
            return;
        }
        let gave_up = match self.screens.focus() {
            PaneKind::Log => self.panes.log.end_search(),
            _ => false,
        };
        let gave_up = gave_up
            || self.screens.screen() == ScreenKind::Tests
                && self.panes.tests.step_back(self.run.model());
        if !gave_up {
            self.screens.back();
        }
    }

    fn begin_search(&mut self) {
        let target = match (self.screens.screen(), self.screens.focus()) {
            (ScreenKind::Detail, _) | (_, PaneKind::Log) => SearchTarget::Log,
            _ => SearchTarget::Names,
        };
        let text = match target {
            SearchTarget::Names => {
                self.screens.go(ScreenKind::Tests);
                self.screens.set_focus(PaneKind::Tests);
                self.panes.tests.finder().pattern()
            }
            SearchTarget::Log => self.panes.log.pattern().unwrap_or_default(),
        };
        self.overlay = Some(ScreenOverlay::Search(SearchPrompt::new(target, text)));
    }

    /// Returns where the current test failed: an absolute path and a line number.
    pub(super) fn location(&self) -> Option<(String, u32)> {
        let model = self.run.model();
        let location = failure_location(self.current_test()?, model)?;
        let directory = model.run.as_ref().map_or("", |run| run.directory.as_str());
        let path = std::path::Path::new(directory).join(&location.path);
        Some((path.to_string_lossy().into_owned(), location.line))
    }
}
