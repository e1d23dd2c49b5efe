//! The text prompt: a search, or the name of a command.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// More than anybody types; a paste may be longer.
const TEXT_BYTES_MAX: usize = 4096;

/// A line being typed. The cursor stands at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TextPrompt {
    pub text: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// What a key did to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptEvent {
    /// The text is another.
    Changed,
    Accepted,
    /// It is given up.
    Dismissed,
    /// Another way of reading it, or the next proposal.
    Tab,
    Up,
    Down,
    Nothing,
}

impl TextPrompt {
    /// A prompt that begins with some text.
    pub fn with(text: &str) -> Self {
        TextPrompt {
            text: text.to_owned(),
            error: None,
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> PromptEvent {
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
                // As in vi and less, whose prompts close so.
                None => PromptEvent::Dismissed,
            },
            KeyCode::Char(c) if !control => self.paste(c.encode_utf8(&mut [0; 4])),
            _ => PromptEvent::Nothing,
        }
    }

    /// Takes a text.
    pub fn paste(&mut self, text: &str) -> PromptEvent {
        if self.text.len() + text.len() > TEXT_BYTES_MAX {
            return PromptEvent::Nothing;
        }
        self.text.extend(text.chars().filter(|c| !c.is_control()));
        PromptEvent::Changed
    }
}
