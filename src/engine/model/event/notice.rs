//! Messages for the user: a group of one event.

use serde::{Deserialize, Serialize};

/// A message for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "notice")]
pub struct UserNotice {
    /// How serious the message is.
    pub severity: NoticeSeverity,
    /// The message, in one line.
    pub text: String,
    /// How to fix it, if known.
    pub help: Option<String>,
    /// Whether the summary at the end of the run repeats the message.
    pub in_summary: bool,
}

impl UserNotice {
    /// The name of the event in recordings.
    pub(super) const NAMES: &[&str] = &["notice"];
}

/// How serious a [`UserNotice`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSeverity {
    Info,
    /// Something may not be as expected.
    Warning,
    /// Something did not work.
    Error,
}
