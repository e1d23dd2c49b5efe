//! Parses escape sequences for a job that is connected to the terminal.
//!
//! After the escape character, `^C` ends this program, `^Z` suspends it, and a second escape
//! character is sent to the job. Before any other key, or after a pause, the escape character
//! itself is sent to the job.

use std::str::FromStr;
use std::time::Duration;

/// The time to wait for the key after the escape character.
pub const SILENCE: Duration = Duration::from_millis(1500);

const CONTROL_C: u8 = 0x03;
const CONTROL_Z: u8 = 0x1a;

/// The escape character, which is an ASCII character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EscapeCharacter(pub u8);

/// The error for a text that is not a single ASCII character.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one ASCII character")]
pub struct EscapeCharacterError {
    pub text: String,
}

impl FromStr for EscapeCharacter {
    type Err = EscapeCharacterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let byte = match text.as_bytes() {
            [byte] if byte.is_ascii() => Some(*byte),
            [b'^', b'?'] => Some(0x7f),
            [b'^', letter @ (b'@'..=b'_' | b'a'..=b'z')] => {
                Some(letter.to_ascii_uppercase() ^ 0x40)
            }
            [b'\\', b'n'] => Some(b'\n'),
            [b'\\', b'r'] => Some(b'\r'),
            [b'\\', b't'] => Some(b'\t'),
            [b'\\', b'0'] => Some(0),
            [b'\\', quoted @ (b'\\' | b'\'' | b'"')] => Some(*quoted),
            [b'\\', b'x', digits @ ..] if digits.len() == 2 => std::str::from_utf8(digits)
                .ok()
                .filter(|digits| !digits.starts_with('+'))
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .filter(u8::is_ascii),
            _ => None,
        };
        byte.map(EscapeCharacter)
            .ok_or_else(|| EscapeCharacterError {
                text: text.to_owned(),
            })
    }
}

/// An action that input from the terminal causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EscapeAction {
    /// Send these bytes to the job.
    Pass(Vec<u8>),
    /// End this program.
    End,
    /// Suspend this program.
    Suspend,
}

/// Finds escape sequences in input from the terminal.
#[derive(Clone, Copy, Debug)]
pub struct EscapeParser {
    character: EscapeCharacter,
    state: EscapeState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EscapeState {
    Idle,
    /// The last byte was the escape character.
    Pending,
}

impl EscapeParser {
    /// Returns a parser with this escape character.
    pub fn new(character: EscapeCharacter) -> EscapeParser {
        EscapeParser {
            character,
            state: EscapeState::Idle,
        }
    }

    /// Returns whether the parser waits for the key after the escape character.
    pub fn is_pending(&self) -> bool {
        self.state == EscapeState::Pending
    }

    /// Processes input; returns the actions that it causes.
    pub fn typed(&mut self, bytes: &[u8]) -> Vec<EscapeAction> {
        let mut actions = Vec::new();
        let mut pass = Vec::new();
        for &byte in bytes {
            let is_escape = byte == self.character.0;
            match self.state {
                EscapeState::Idle if is_escape => self.state = EscapeState::Pending,
                EscapeState::Idle => pass.push(byte),
                EscapeState::Pending => {
                    self.state = EscapeState::Idle;
                    let command = match byte {
                        _ if is_escape => None,
                        CONTROL_C => Some(EscapeAction::End),
                        CONTROL_Z => Some(EscapeAction::Suspend),
                        _ => None,
                    };
                    match command {
                        Some(command) => {
                            if !pass.is_empty() {
                                actions.push(EscapeAction::Pass(std::mem::take(&mut pass)));
                            }
                            actions.push(command);
                        }
                        None => {
                            pass.push(self.character.0);
                            if !is_escape {
                                pass.push(byte);
                            }
                        }
                    }
                }
            }
        }
        if !pass.is_empty() {
            actions.push(EscapeAction::Pass(pass));
        }
        actions
    }

    /// Processes a pause of [`SILENCE`] in the input. An escape character before it is sent to the
    /// job.
    pub fn silence(&mut self) -> Option<EscapeAction> {
        match self.state {
            EscapeState::Idle => None,
            EscapeState::Pending => {
                self.state = EscapeState::Idle;
                Some(EscapeAction::Pass(vec![self.character.0]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_character_is_read() {
        for (text, byte) in [
            ("^]", 0x1d),
            ("^a", 0x01),
            ("^?", 0x7f),
            ("~", b'~'),
            ("^", b'^'),
            ("\\", b'\\'),
            ("\\n", b'\n'),
            ("\\'", b'\''),
            ("\\0", 0),
            ("\\x7f", 0x7f),
        ] {
            assert_eq!(text.parse(), Ok(EscapeCharacter(byte)), "{text}");
        }
        for text in ["", "ab", "é", "\\x80", "\\x+1", "\\q", "^é"] {
            assert!(text.parse::<EscapeCharacter>().is_err(), "{text}");
        }
    }

    #[test]
    fn commands_are_found_wherever_the_bytes_part() {
        let pass = |bytes: &[u8]| EscapeAction::Pass(bytes.to_vec());
        let mut escape = EscapeParser::new(EscapeCharacter(b'~'));
        assert_eq!(escape.typed(b"ab~"), [pass(b"ab")]);
        assert!(escape.is_pending());
        assert_eq!(escape.typed(b"\x03"), [EscapeAction::End]);
        assert_eq!(
            escape.typed(b"x~\x1ay"),
            [pass(b"x"), EscapeAction::Suspend, pass(b"y")]
        );
        assert_eq!(escape.typed(b"~~"), [pass(b"~")]);
        assert_eq!(escape.typed(b"~c\x03"), [pass(b"~c\x03")]);
        assert_eq!(escape.typed(b"~"), []);
        assert_eq!(escape.silence(), Some(pass(b"~")));
        assert_eq!(escape.silence(), None);
        assert_eq!(escape.typed(b"\x03"), [pass(b"\x03")]);
    }
}
