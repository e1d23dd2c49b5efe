//! The search prompt, which filters tests by name as you type, or searches the log.

use crossterm::event::KeyEvent;

use super::super::context::{ComponentEffect, Context, OverlayState, SyntaxChange};
use super::super::prompt::{PromptEvent, TextPrompt};

/// The target of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum SearchTarget {
    Names,
    Log,
}

/// The state of the search prompt.
#[derive(Debug)]
pub(in super::super) struct SearchPrompt {
    prompt: TextPrompt,
    target: SearchTarget,
}

impl SearchPrompt {
    /// Creates a prompt that contains `text`.
    pub(crate) fn new(target: SearchTarget, text: &str) -> Self {
        SearchPrompt {
            prompt: TextPrompt::with(text),
            target,
        }
    }

    /// Returns the target of the search.
    pub(crate) fn target(&self) -> SearchTarget {
        self.target
    }

    /// Returns the text in the prompt.
    pub(crate) fn text(&self) -> &str {
        &self.prompt.text
    }

    /// Returns the error message of the pattern, if it is invalid.
    pub(crate) fn error(&self) -> Option<&str> {
        self.prompt.error.as_deref()
    }

    /// Sets or clears the error message of the pattern.
    pub(crate) fn set_error(&mut self, error: Option<String>) {
        self.prompt.error = error;
    }

    /// Handles a key. Returns whether the prompt stays open.
    pub(crate) fn on_key(&mut self, key: KeyEvent, ctx: &mut Context<'_>) -> OverlayState {
        let typed = self.prompt.key(key);
        match self.target {
            SearchTarget::Names => self.on_name_key(typed, ctx),
            SearchTarget::Log => self.on_log_key(typed, ctx),
        }
    }

    fn on_name_key(&mut self, typed: PromptEvent, ctx: &mut Context<'_>) -> OverlayState {
        match typed {
            PromptEvent::Dismissed => {
                ctx.ask(ComponentEffect::ClearFinder);
                return OverlayState::Closed;
            }
            PromptEvent::Accepted => return OverlayState::Closed,
            PromptEvent::Tab => self.find(SyntaxChange::Other, ctx),
            PromptEvent::Changed => self.find(SyntaxChange::Same, ctx),
            PromptEvent::Up => ctx.ask(ComponentEffect::MoveFound(-1)),
            PromptEvent::Down => ctx.ask(ComponentEffect::MoveFound(1)),
            PromptEvent::Nothing => {}
        }
        OverlayState::Open
    }

    fn on_log_key(&mut self, typed: PromptEvent, ctx: &mut Context<'_>) -> OverlayState {
        match typed {
            PromptEvent::Dismissed => return OverlayState::Closed,
            // The app closes the prompt if the pattern is valid.
            PromptEvent::Accepted => {
                ctx.ask(ComponentEffect::SearchLog(self.prompt.text.clone()));
            }
            PromptEvent::Changed => self.prompt.error = None,
            PromptEvent::Tab | PromptEvent::Up | PromptEvent::Down | PromptEvent::Nothing => {}
        }
        OverlayState::Open
    }

    /// Inserts pasted text.
    pub(crate) fn on_paste(&mut self, text: &str, ctx: &mut Context<'_>) {
        self.prompt.paste(text);
        if self.target == SearchTarget::Names {
            self.find(SyntaxChange::Same, ctx);
        }
    }

    fn find(&self, syntax: SyntaxChange, ctx: &mut Context<'_>) {
        ctx.ask(ComponentEffect::FindTests {
            pattern: self.prompt.text.clone(),
            syntax,
        });
    }
}
