//! The message in the last line of the screen, and how long it is displayed.

/// The time for which a message is displayed, in microseconds.
const MESSAGE_US: u64 = 4_000_000;

/// The message in the last line of the screen, if any.
#[derive(Debug, Default)]
pub(super) struct StatusLine {
    message: Option<StatusMessage>,
}

#[derive(Debug)]
struct StatusMessage {
    text: String,
    until_us: u64,
}

impl StatusLine {
    /// Displays a message in place of the current one.
    pub(super) fn show(&mut self, text: impl Into<String>, now_us: u64) {
        self.message = Some(StatusMessage {
            text: text.into(),
            until_us: now_us + MESSAGE_US,
        });
    }

    /// Removes the message.
    pub(super) fn clear(&mut self) {
        self.message = None;
    }

    /// Removes the message if its time is over.
    pub(super) fn expire(&mut self, now_us: u64) {
        if self.until_us().is_some_and(|until_us| until_us <= now_us) {
            self.message = None;
        }
    }

    /// Returns when the message will be removed.
    pub(super) fn until_us(&self) -> Option<u64> {
        self.message.as_ref().map(|message| message.until_us)
    }

    /// Returns the text of the message.
    pub(super) fn text(&self) -> Option<&str> {
        self.message.as_ref().map(|message| message.text.as_str())
    }
}
