//! The message in the last line of the screen, and how long it stays there.

/// How long a status message is shown.
const MESSAGE_US: u64 = 4_000_000;

/// See the module's documentation.
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
    /// Shows another message.
    pub fn show(&mut self, text: impl Into<String>, now_us: u64) {
        self.message = Some(StatusMessage {
            text: text.into(),
            until_us: now_us + MESSAGE_US,
        });
    }

    /// Shows no message any more.
    pub fn clear(&mut self) {
        self.message = None;
    }

    /// Takes the message away when its time is over.
    pub fn expire(&mut self, now_us: u64) {
        if self.until_us().is_some_and(|until_us| until_us <= now_us) {
            self.message = None;
        }
    }

    /// How long the message stays.
    pub fn until_us(&self) -> Option<u64> {
        self.message.as_ref().map(|message| message.until_us)
    }

    /// What it says.
    pub fn text(&self) -> Option<&str> {
        self.message.as_ref().map(|message| message.text.as_str())
    }
}
