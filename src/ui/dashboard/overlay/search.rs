//! The search prompt: for names of tests, which are found while one types, or for the log.

use crossterm::event::KeyEvent;

use super::super::context::{ComponentEffect, Context, OverlayState, SyntaxChange};
use super::super::prompt::{PromptEvent, TextPrompt};

/// What a search looks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum SearchTarget {
    Names,
    Log,
}

/// See the module's documentation.
#[derive(Debug)]
pub(in super::super) struct SearchPrompt {
    prompt: TextPrompt,
    target: SearchTarget,
}

impl SearchPrompt {
    /// A prompt that begins with some text.
    pub fn new(target: SearchTarget, text: &str) -> Self {
        SearchPrompt {
            prompt: TextPrompt::with(text),
            target,
        }
    }

    /// What it looks through.
    pub fn target(&self) -> SearchTarget {
        self.target
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.prompt.text
    }

    /// What is wrong with it.
    pub fn error(&self) -> Option<&str> {
        self.prompt.error.as_deref()
    }

    /// Takes what is wrong with it, if anything is.
    pub fn set_error(&mut self, error: Option<String>) {
        self.prompt.error = error;
    }

    /// Takes a key.
    pub fn on_key(&mut self, key: KeyEvent, ctx: &mut Context<'_>) -> OverlayState {
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
            // Closed by the app, unless the pattern is not valid.
            PromptEvent::Accepted => {
                ctx.ask(ComponentEffect::SearchLog(self.prompt.text.clone()));
            }
            PromptEvent::Changed => self.prompt.error = None,
            PromptEvent::Tab | PromptEvent::Up | PromptEvent::Down | PromptEvent::Nothing => {}
        }
        OverlayState::Open
    }

    /// Takes a text that was pasted.
    pub fn on_paste(&mut self, text: &str, ctx: &mut Context<'_>) {
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
