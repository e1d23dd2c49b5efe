//! A one-line text prompt for a search or the name of a command.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The maximum length of the text, in bytes. Only pasted text can exceed it.
const TEXT_BYTES_MAX: usize = 4096;

/// A line of text with the cursor at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TextPrompt {
    pub text: String,
    /// The error message of the text, if it is invalid.
    pub error: Option<String>,
}

/// The effect of a key on a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptEvent {
    /// The text has changed.
    Changed,
    Accepted,
    /// The prompt was canceled.
    Dismissed,
    /// Tab was pressed, which changes the syntax or selects the next proposal.
    Tab,
    Up,
    Down,
    Nothing,
}

impl TextPrompt {
    /// Creates a prompt that contains `text`.
    pub(super) fn with(text: &str) -> Self {
        TextPrompt {
            text: text.to_owned(),
            error: None,
        }
    }

    /// Handles a key and returns its effect.
    pub(super) fn key(&mut self, key: KeyEvent) -> PromptEvent {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => PromptEvent::Accepted,
            KeyCode::Esc => PromptEvent::Dismissed,
            KeyCode::Char('c') if control => PromptEvent::Dismissed,
            KeyCode::Tab => PromptEvent::Tab,
            KeyCode::Up => PromptEvent::Up,
            KeyCode::Down => PromptEvent::Down,
            KeyCode::Char('u') if control => {
                self.text.clear();
                PromptEvent::Changed
            }
            KeyCode::Char('w') if control => {
                let kept = self.text.trim_end().rfind([' ', ':', '/', '_']);
                self.text.truncate(kept.unwrap_or(0));
                PromptEvent::Changed
            }
            KeyCode::Backspace => match self.text.pop() {
                Some(_) => PromptEvent::Changed,
                // As in vi and less, backspace in an empty prompt closes it.
                None => PromptEvent::Dismissed,
            },
            KeyCode::Char(c) if !control => self.paste(c.encode_utf8(&mut [0; 4])),
            _ => PromptEvent::Nothing,
        }
    }

    /// Inserts text, without its control characters. Ignores text that would exceed the maximum
    /// length.
    pub(super) fn paste(&mut self, text: &str) -> PromptEvent {
        if self.text.len() + text.len() > TEXT_BYTES_MAX {
            return PromptEvent::Nothing;
        }
        self.text.extend(text.chars().filter(|c| !c.is_control()));
        PromptEvent::Changed
    }
}
