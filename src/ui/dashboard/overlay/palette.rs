//! The command palette: a prompt for the name of a command, with a list of matching commands.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::context::{ComponentEffect, Context, OverlayState, ViewContext};
use super::super::keys::{ActionEntry, proposals};
use super::super::prompt::{PromptEvent, TextPrompt};
use super::super::scroll;
use super::super::text;
use super::super::theme::StyleRole;
use super::super::widgets::frame::window;
use super::super::widgets::row::{RowLine, list};

const KEYS_COLUMNS: usize = 12;
const WINDOW_COLUMNS: u16 = 70;
const WINDOW_ROWS: u16 = 18;

/// The state of the command palette.
#[derive(Debug, Default)]
pub(in super::super) struct CommandPalette {
    prompt: TextPrompt,
    selected: usize,
}

impl CommandPalette {
    /// Handles a key. Returns whether the palette stays open.
    pub(crate) fn on_key(&mut self, key: KeyEvent, ctx: &mut Context<'_>) -> OverlayState {
        // Counted before the key changes the text: Up and Down move within the displayed list, and
        // a changed text selects its first match.
        let count = proposals(&self.prompt.text).len();
        self.selected = match self.prompt.key(key) {
            PromptEvent::Dismissed => return OverlayState::Closed,
            PromptEvent::Accepted => {
                if let Some(info) = proposals(&self.prompt.text).get(self.selected) {
                    ctx.ask(ComponentEffect::Act(info.action));
                }
                return OverlayState::Closed;
            }
            PromptEvent::Tab | PromptEvent::Down => {
                (self.selected + 1).min(count.saturating_sub(1))
            }
            PromptEvent::Up => self.selected.saturating_sub(1),
            PromptEvent::Changed => 0,
            PromptEvent::Nothing => self.selected,
        };
        OverlayState::Open
    }

    /// Inserts pasted text.
    pub(crate) fn on_paste(&mut self, text: &str) {
        self.prompt.paste(text);
    }

    /// Draws the palette over the screen.
    pub(crate) fn view(&self, ctx: &ViewContext<'_>, screen: Rect, buf: &mut Buffer) {
        let size = (WINDOW_COLUMNS, WINDOW_ROWS);
        let inside = window(ctx, " Commands ", size, screen, buf);
        let mut row = RowLine::new(inside.width);
        row.left(": ", ctx.style(StyleRole::Key));
        // One column is for the cursor.
        let room = row.room().saturating_sub(1);
        let typed = text::keep_end(&self.prompt.text, room, ctx.glyphs.more());
        let cursor = Style::new().add_modifier(Modifier::REVERSED);
        row.left(typed, Style::new()).left(" ", cursor);
        row.into_line().render(inside, buf);
        let below = Rect {
            y: inside.y + 1,
            height: inside.height.saturating_sub(1),
            ..inside
        };
        let found = proposals(&self.prompt.text);
        if found.is_empty() {
            let dim = ctx.style(StyleRole::Dim);
            Line::styled("there is no such command", dim).render(below, buf);
            return;
        }
        let height = usize::from(below.height);
        let top = scroll::top(0, self.selected, found.len(), height);
        let shown = found.iter().skip(top);
        let lines = shown.map(|info| proposal_line(ctx, info, below.width));
        let selected = self.selected.checked_sub(top);
        list(lines, selected, ctx.style(StyleRole::Selected), below, buf);
    }
}

fn proposal_line<'a>(ctx: &ViewContext<'_>, info: &ActionEntry, columns: u16) -> Line<'a> {
    let keys = ctx.settings.keys.keys(info.action);
    let mut row = RowLine::new(columns);
    row.left(
        format!("{keys:>KEYS_COLUMNS$}  "),
        ctx.style(StyleRole::Key),
    )
    .left(format!("{:<18}", info.name), ctx.style(StyleRole::Title))
    .left(info.help, ctx.style(StyleRole::Dim));
    row.into_line()
}
