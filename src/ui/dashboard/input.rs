//! Handles keys while an overlay is open, and the mouse.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::app::{App, AppEffect, PaneKind, ScreenKind, ScreenOverlay, SearchTarget};
use super::finder::PatternSyntax;
use super::keys::{DashboardAction, proposals};
use super::log_pane::MoveDirection;
use super::prompt::PromptEvent;
use super::view;

/// Rows that a turn of the wheel moves.
const WHEEL_ROWS: isize = 3;

impl App {
    /// Gives a key to what lies over the screen. Says whether there was anything.
    pub(super) fn overlay_key(
        &mut self,
        key: KeyEvent,
        now_us: u64,
        effects: &mut Vec<AppEffect>,
    ) -> bool {
        // Taken out, so that an arm may change all of `self`; an arm that keeps it puts it back.
        match std::mem::take(&mut self.overlay) {
            ScreenOverlay::None => return false,
            ScreenOverlay::Help { top } => {
                let step = usize::from(self.terminal_rows / 2).max(1);
                let top = match self.keys.action(key) {
                    Some(DashboardAction::Down) => top + 1,
                    Some(DashboardAction::Up) => top.saturating_sub(1),
                    Some(DashboardAction::PageDown) => top + step,
                    Some(DashboardAction::PageUp) => top.saturating_sub(step),
                    Some(DashboardAction::Top) => 0,
                    _ => return true,
                };
                let top = top.min(view::help_top_max(self));
                self.overlay = ScreenOverlay::Help { top };
            }
            ScreenOverlay::ConfirmQuit => match key.code {
                KeyCode::Char('y' | 'Y' | 'q') | KeyCode::Enter => self.leave(effects),
                KeyCode::Char('c') if self.keys.action(key) == Some(DashboardAction::Interrupt) => {
                    self.leave(effects);
                }
                _ => {}
            },
            ScreenOverlay::Palette {
                mut prompt,
                selected,
            } => {
                // Counted before the key, which moves within what is shown; another text begins
                // with its first proposal.
                let count = proposals(&prompt.text).len();
                let selected = match prompt.key(key) {
                    PromptEvent::Dismissed => return true,
                    PromptEvent::Accepted => {
                        if let Some(info) = proposals(&prompt.text).get(selected) {
                            self.run_action(info.action, now_us, effects);
                        }
                        return true;
                    }
                    PromptEvent::Tab | PromptEvent::Down => {
                        (selected + 1).min(count.saturating_sub(1))
                    }
                    PromptEvent::Up => selected.saturating_sub(1),
                    PromptEvent::Changed => 0,
                    PromptEvent::Nothing => selected,
                };
                self.overlay = ScreenOverlay::Palette { prompt, selected };
            }
            ScreenOverlay::Search { mut prompt, target } => {
                let typed = prompt.key(key);
                match (target, typed) {
                    (SearchTarget::Names, PromptEvent::Dismissed) => {
                        self.set_finder("");
                        return true;
                    }
                    (SearchTarget::Log, PromptEvent::Dismissed) => return true,
                    (SearchTarget::Names, PromptEvent::Accepted) => return true,
                    (SearchTarget::Log, PromptEvent::Accepted) => {
                        match self.log.set_search(&prompt.text) {
                            Ok(()) => {
                                self.set_focus(PaneKind::Log);
                                if !prompt.text.is_empty() {
                                    self.next_match(MoveDirection::Next, now_us);
                                }
                                return true;
                            }
                            Err(error) => prompt.error = Some(error),
                        }
                    }
                    (SearchTarget::Names, PromptEvent::Tab) => {
                        let syntax = self.rows.finder.syntax().other();
                        prompt.error = self.find(&prompt.text, syntax).err();
                    }
                    (SearchTarget::Names, PromptEvent::Changed) => {
                        let syntax = self.rows.finder.syntax();
                        prompt.error = self.find(&prompt.text, syntax).err();
                    }
                    (SearchTarget::Names, PromptEvent::Up) => self.move_by(-1, effects),
                    (SearchTarget::Names, PromptEvent::Down) => self.move_by(1, effects),
                    (SearchTarget::Log, PromptEvent::Changed) => prompt.error = None,
                    (SearchTarget::Log, PromptEvent::Tab | PromptEvent::Up | PromptEvent::Down)
                    | (_, PromptEvent::Nothing) => {}
                }
                self.overlay = ScreenOverlay::Search { prompt, target };
            }
        }
        true
    }

    /// Shows the tests that match, the best selected. `Err` says what is wrong with the pattern.
    fn find(&mut self, pattern: &str, syntax: PatternSyntax) -> Result<(), String> {
        // The finder reads the model, which is borrowed from all of `self`.
        let mut finder = std::mem::take(&mut self.rows.finder);
        let result = finder.set(pattern, syntax, &self.model().tests);
        self.rows.finder = finder;
        if result.is_ok() {
            // This list is ranked: the best match is its first line.
            if syntax == PatternSyntax::Fuzzy && !pattern.is_empty() {
                self.rows.selected = None;
                self.rows.top = 0;
            }
            self.rows.invalidate();
        }
        result
    }

    pub(super) fn set_finder(&mut self, pattern: &str) {
        // Only a pattern that is empty is ever set so, and that one is valid.
        let selected = self.rows.selected_row();
        let _ = self.find(pattern, PatternSyntax::Fuzzy);
        // What the ranked list had selected, if only as its first line, stays so in the tree.
        self.rows.selected = selected;
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let ScreenOverlay::Search { prompt, .. } | ScreenOverlay::Palette { prompt, .. } =
            &mut self.overlay
        {
            prompt.paste(text);
            if let ScreenOverlay::Search {
                prompt,
                target: SearchTarget::Names,
            } = &self.overlay
            {
                let (text, syntax) = (prompt.text.clone(), self.rows.finder.syntax());
                let error = self.find(&text, syntax).err();
                if let ScreenOverlay::Search { prompt, .. } = &mut self.overlay {
                    prompt.error = error;
                }
            }
        }
    }

    pub(super) fn mouse(&mut self, mouse: MouseEvent, now_us: u64, effects: &mut Vec<AppEffect>) {
        let at = Position::new(mouse.column, mouse.row);
        let layout = self.layout();
        let under = layout.panes.iter().find(|(_, area)| area.contains(at));
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                if !matches!(self.overlay, ScreenOverlay::None) {
                    self.overlay = ScreenOverlay::None;
                    return;
                }
                if at.y + 1 == layout.header.bottom() {
                    if let Some(action) = view::tab_at(self, at.x) {
                        self.run_action(action, now_us, effects);
                    }
                    return;
                }
                let Some((pane, area)) = under.copied() else {
                    return;
                };
                let was_focused = self.focus == pane;
                self.set_focus(pane);
                self.click(pane, area, layout.inside(pane), at, was_focused, effects);
            }
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
                let Some((pane, _)) = under.copied() else {
                    return;
                };
                let by = match mouse.kind {
                    MouseEventKind::ScrollDown => WHEEL_ROWS,
                    _ => -WHEEL_ROWS,
                };
                // The wheel moves what the pointer is on, and leaves the focus of the keys alone.
                let focus = std::mem::replace(&mut self.focus, pane);
                self.move_by(by, effects);
                self.focus = focus;
            }
            _ => {}
        }
    }

    fn click(
        &mut self,
        pane: PaneKind,
        area: Rect,
        inside: Rect,
        at: Position,
        was_focused: bool,
        effects: &mut Vec<AppEffect>,
    ) {
        // A pane of one line has no frame, and so no title that could be clicked.
        if at.y == area.y && area.height > 1 {
            if pane == PaneKind::Tests {
                self.rows.next_sort();
            }
            return;
        }
        if !inside.contains(at) {
            return;
        }
        let line = usize::from(at.y - inside.y);
        match pane {
            PaneKind::Failures => {
                let clicked = self.model().failures.get(self.failures_top + line).copied();
                let again = clicked.is_some() && self.selected_failure() == clicked && was_focused;
                self.failure = clicked.or(self.failure);
                if again {
                    self.open_detail(clicked, effects);
                }
            }
            PaneKind::Running => {
                let clicked = self.model().running().nth(line).map(|(_, test)| test);
                self.running = clicked.or(self.running);
            }
            PaneKind::Tests => {
                let index = self.rows.top + line;
                let again = self.rows.selected_index() == index && was_focused;
                self.rows.select_index(index, usize::from(inside.height));
                if again {
                    let mut ignored = Vec::new();
                    self.run_action(DashboardAction::Open, 0, &mut ignored);
                    effects.append(&mut ignored);
                }
            }
            PaneKind::WorkerList => {
                let top = self.first_worker_shown(inside.height);
                // The first line is a heading.
                let index = line.checked_sub(1).map(|line| top + line);
                let clicked = index.and_then(|index| self.model().workers().nth(index));
                self.worker = clicked.map(|worker| worker.id).or(self.worker);
            }
            PaneKind::Workers => self.go(ScreenKind::Workers),
            PaneKind::Log | PaneKind::Facts | PaneKind::Slots | PaneKind::Cluster => {}
        }
    }
}
