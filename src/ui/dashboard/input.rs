//! Keys while something lies over the screen, and the mouse.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::app::{App, Effect, Overlay, Pane, Screen, SearchTarget};
use super::finder::Syntax;
use super::keys::{ACTIONS, Action, ActionInfo};
use super::log_pane::Direction;
use super::prompt::Typed;
use super::view;

/// Rows that a turn of the wheel moves.
const WHEEL_ROWS: isize = 3;

impl App {
    /// Gives a key to what lies over the screen. Says whether there was anything.
    pub(super) fn overlay_key(
        &mut self,
        key: KeyEvent,
        now_us: u64,
        effects: &mut Vec<Effect>,
    ) -> bool {
        match std::mem::take(&mut self.overlay) {
            Overlay::None => return false,
            Overlay::Help { top } => {
                let step = usize::from(self.terminal_rows / 2).max(1);
                let top = match self.keys.action(key) {
                    Some(Action::Down) => top + 1,
                    Some(Action::Up) => top.saturating_sub(1),
                    Some(Action::PageDown) => top + step,
                    Some(Action::PageUp) => top.saturating_sub(step),
                    Some(Action::Top) => 0,
                    _ => return true,
                };
                let top = top.min(view::help_top_max(self));
                self.overlay = Overlay::Help { top };
            }
            Overlay::ConfirmQuit => match key.code {
                KeyCode::Char('y' | 'Y' | 'q') | KeyCode::Enter => self.leave(effects),
                KeyCode::Char('c') if self.keys.action(key) == Some(Action::Interrupt) => {
                    self.leave(effects);
                }
                _ => {}
            },
            Overlay::Palette {
                mut prompt,
                selected,
            } => {
                let count = proposals(&prompt.text).len();
                let selected = match prompt.key(key) {
                    Typed::Dismissed => return true,
                    Typed::Accepted => {
                        if let Some(info) = proposals(&prompt.text).get(selected) {
                            self.act(info.action, now_us, effects);
                        }
                        return true;
                    }
                    Typed::Tab | Typed::Down => (selected + 1).min(count.saturating_sub(1)),
                    Typed::Up => selected.saturating_sub(1),
                    Typed::Changed => 0,
                    Typed::Nothing => selected,
                };
                self.overlay = Overlay::Palette { prompt, selected };
            }
            Overlay::Search { mut prompt, target } => {
                let typed = prompt.key(key);
                match (target, typed) {
                    (SearchTarget::Names, Typed::Dismissed) => {
                        self.set_finder("");
                        return true;
                    }
                    (SearchTarget::Log, Typed::Dismissed) => return true,
                    (SearchTarget::Names, Typed::Accepted) => return true,
                    (SearchTarget::Log, Typed::Accepted) => {
                        match self.log.set_search(&prompt.text) {
                            Ok(()) => {
                                self.set_focus(Pane::Log);
                                if !prompt.text.is_empty() {
                                    self.next_match(Direction::Next, now_us);
                                }
                                return true;
                            }
                            Err(error) => prompt.error = Some(error),
                        }
                    }
                    (SearchTarget::Names, Typed::Tab) => {
                        let syntax = self.rows.finder.syntax().other();
                        prompt.error = self.find(&prompt.text, syntax).err();
                    }
                    (SearchTarget::Names, Typed::Changed) => {
                        let syntax = self.rows.finder.syntax();
                        prompt.error = self.find(&prompt.text, syntax).err();
                    }
                    (SearchTarget::Names, Typed::Up) => self.move_by(-1, effects),
                    (SearchTarget::Names, Typed::Down) => self.move_by(1, effects),
                    (SearchTarget::Log, Typed::Changed) => prompt.error = None,
                    (SearchTarget::Log, Typed::Tab | Typed::Up | Typed::Down)
                    | (_, Typed::Nothing) => {}
                }
                self.overlay = Overlay::Search { prompt, target };
            }
        }
        true
    }

    /// Shows the tests that match, the best selected. `Err` says what is wrong with the pattern.
    fn find(&mut self, pattern: &str, syntax: Syntax) -> Result<(), String> {
        let mut finder = std::mem::take(&mut self.rows.finder);
        let result = finder.set(pattern, syntax, &self.model().tests);
        self.rows.finder = finder;
        if result.is_ok() {
            if syntax == Syntax::Fuzzy && !pattern.is_empty() {
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
        let _ = self.find(pattern, Syntax::Fuzzy);
        self.rows.selected = selected;
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let Overlay::Search { prompt, .. } | Overlay::Palette { prompt, .. } = &mut self.overlay
        {
            prompt.paste(text);
            if let Overlay::Search {
                prompt,
                target: SearchTarget::Names,
            } = &self.overlay
            {
                let (text, syntax) = (prompt.text.clone(), self.rows.finder.syntax());
                let error = self.find(&text, syntax).err();
                if let Overlay::Search { prompt, .. } = &mut self.overlay {
                    prompt.error = error;
                }
            }
        }
    }

    pub(super) fn mouse(&mut self, mouse: MouseEvent, now_us: u64, effects: &mut Vec<Effect>) {
        let at = Position::new(mouse.column, mouse.row);
        let layout = self.layout();
        let under = layout.panes.iter().find(|(_, area)| area.contains(at));
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                if !matches!(self.overlay, Overlay::None) {
                    self.overlay = Overlay::None;
                    return;
                }
                if at.y + 1 == layout.header.bottom() {
                    if let Some(action) = view::tab_at(self, at.x) {
                        self.act(action, now_us, effects);
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
                let focus = std::mem::replace(&mut self.focus, pane);
                self.move_by(by, effects);
                self.focus = focus;
            }
            _ => {}
        }
    }

    fn click(
        &mut self,
        pane: Pane,
        area: Rect,
        inside: Rect,
        at: Position,
        was_focused: bool,
        effects: &mut Vec<Effect>,
    ) {
        if at.y == area.y && area.height > 1 {
            if pane == Pane::Tests {
                self.rows.next_sort();
            }
            return;
        }
        if !inside.contains(at) {
            return;
        }
        let line = usize::from(at.y - inside.y);
        match pane {
            Pane::Failures => {
                let clicked = self.model().failures.get(self.failures_top + line).copied();
                let again = clicked.is_some() && self.selected_failure() == clicked && was_focused;
                self.failure = clicked.or(self.failure);
                if again {
                    self.open_detail(clicked, effects);
                }
            }
            Pane::Running => {
                let clicked = self.model().running().nth(line).map(|(_, test)| test);
                self.running = clicked.or(self.running);
            }
            Pane::Tests => {
                let index = self.rows.top + line;
                let again = self.rows.selected_index() == index && was_focused;
                self.rows.select_index(index, usize::from(inside.height));
                if again {
                    let mut ignored = Vec::new();
                    self.act(Action::Open, 0, &mut ignored);
                    effects.append(&mut ignored);
                }
            }
            Pane::WorkerList => {
                let clicked = self.model().workers().nth(line.saturating_sub(1));
                self.worker = clicked.map(|worker| worker.id).or(self.worker);
            }
            Pane::Workers => self.go(Screen::Workers),
            Pane::Log | Pane::Facts | Pane::Slots | Pane::Cluster => {}
        }
    }
}

/// The actions whose names or help have all words of a text, in the table's order.
pub(super) fn proposals(text: &str) -> Vec<&'static ActionInfo> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let matches = |info: &&ActionInfo| {
        let name = info.name.replace('-', " ");
        let known = format!("{} {name} {}", info.name, info.help);
        words.iter().all(|word| known.contains(word.as_str()))
    };
    ACTIONS.iter().filter(matches).collect()
}
