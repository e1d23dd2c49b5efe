//! Overlays, which cover the screen and receive all keys: the help, the command palette, a search
//! prompt, and the confirmation to quit.

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

/// An open overlay.
#[derive(Debug)]
pub(super) enum ScreenOverlay {
    Help(HelpOverlay),
    Palette(CommandPalette),
    Search(SearchPrompt),
    /// Asks whether to quit while the run is active.
    ConfirmQuit,
}

impl ScreenOverlay {
    /// Draws the overlay over the screen. Overlays in the last line are drawn by the footer.
    pub(super) fn view(&self, ctx: &ViewContext<'_>, screen: Rect, buf: &mut Buffer) {
        match self {
            ScreenOverlay::Help(help) => help.view(ctx, screen, buf),
            ScreenOverlay::Palette(palette) => palette.view(ctx, screen, buf),
            ScreenOverlay::Search(_) | ScreenOverlay::ConfirmQuit => {}
        }
    }

    /// Handles a key. Returns whether the overlay stays open.
    pub(super) fn on_key(&mut self, key: KeyEvent, ctx: &mut Context<'_>) -> OverlayState {
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

    /// Handles pasted text.
    pub(super) fn on_paste(&mut self, text: &str, ctx: &mut Context<'_>) {
        match self {
            ScreenOverlay::Palette(palette) => palette.on_paste(text),
            ScreenOverlay::Search(prompt) => prompt.on_paste(text, ctx),
            ScreenOverlay::Help(_) | ScreenOverlay::ConfirmQuit => {}
        }
    }

    /// Sets or clears the error message of a search pattern.
    pub(super) fn set_error(&mut self, error: Option<String>) {
        if let ScreenOverlay::Search(prompt) = self {
            prompt.set_error(error);
        }
    }
}
