//! What lies over the screen and takes all keys: the help, the command palette, a search prompt, or
//! the question whether to quit.

mod help;
mod palette;
mod search;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::context::{ComponentEffect, Context, OverlayState, ViewContext};
use super::keys::DashboardAction;
pub(super) use help::HelpOverlay;
pub(super) use palette::CommandPalette;
pub(super) use search::{SearchPrompt, SearchTarget};

/// See the module's documentation.
#[derive(Debug)]
pub(super) enum ScreenOverlay {
    Help(HelpOverlay),
    Palette(CommandPalette),
    Search(SearchPrompt),
    /// Whether to quit although the run goes on.
    ConfirmQuit,
}

impl ScreenOverlay {
    /// Draws it over the screen, unless it is in the last line only.
    pub fn view(&self, ctx: &ViewContext<'_>, screen: Rect, buf: &mut Buffer) {
        match self {
            ScreenOverlay::Help(help) => help.view(ctx, screen, buf),
            ScreenOverlay::Palette(palette) => palette.view(ctx, screen, buf),
            ScreenOverlay::Search(_) | ScreenOverlay::ConfirmQuit => {}
        }
    }

    /// Takes a key.
    pub fn on_key(&mut self, key: KeyEvent, ctx: &mut Context<'_>) -> OverlayState {
        match self {
            ScreenOverlay::Help(help) => help.on_key(key, ctx),
            ScreenOverlay::Palette(palette) => palette.on_key(key, ctx),
            ScreenOverlay::Search(prompt) => prompt.on_key(key, ctx),
            ScreenOverlay::ConfirmQuit => {
                let quits = match key.code {
                    KeyCode::Char('y' | 'Y' | 'q') | KeyCode::Enter => true,
                    KeyCode::Char('c') => ctx.action(key) == Some(DashboardAction::Interrupt),
                    _ => false,
                };
                if quits {
                    ctx.ask(ComponentEffect::Leave);
                }
                OverlayState::Closed
            }
        }
    }

    /// Takes a text that was pasted.
    pub fn on_paste(&mut self, text: &str, ctx: &mut Context<'_>) {
        match self {
            ScreenOverlay::Palette(palette) => palette.on_paste(text),
            ScreenOverlay::Search(prompt) => prompt.on_paste(text, ctx),
            ScreenOverlay::Help(_) | ScreenOverlay::ConfirmQuit => {}
        }
    }

    /// Takes what is wrong with the pattern that was typed, if anything is.
    pub fn set_error(&mut self, error: Option<String>) {
        if let ScreenOverlay::Search(prompt) = self {
            prompt.set_error(error);
        }
    }
}
