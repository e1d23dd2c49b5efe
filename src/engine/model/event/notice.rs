//! Messages for the person who watches: a group of one event.

use serde::{Deserialize, Serialize};

/// A message for the person who watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "notice")]
pub struct UserNotice {
    /// How much it matters.
    pub severity: NoticeSeverity,
    /// What is the case, in one line.
    pub text: String,
    /// How to fix it, if known.
    pub help: Option<String>,
    /// Whether the summary at the end repeats it.
    pub in_summary: bool,
}

impl UserNotice {
    /// The name of the event in recordings.
    pub(super) const NAMES: &[&str] = &["notice"];
}

/// How much a [`UserNotice`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSeverity {
    Info,
    /// Something may not be as expected.
    Warning,
    /// Something did not work.
    Error,
}
