//! The words for verdicts and delays, which the project's file and nextest's configuration share.

use maelstrom_model::policy::{FlakyVerdict, LeakVerdict, TimeoutVerdict};

/// The verdicts on a test that passes after it failed.
pub const FLAKY_VERDICTS: [(&str, FlakyVerdict); 2] =
    [("pass", FlakyVerdict::Pass), ("fail", FlakyVerdict::Fail)];

/// The verdicts on a test that is stopped for its timeout.
pub const TIMEOUT_VERDICTS: [(&str, TimeoutVerdict); 2] = [
    ("fail", TimeoutVerdict::Fail),
    ("pass", TimeoutVerdict::Pass),
];

/// The verdicts on a test that passes and leaves processes running.
pub const LEAK_VERDICTS: [(&str, LeakVerdict); 2] =
    [("pass", LeakVerdict::Pass), ("fail", LeakVerdict::Fail)];

/// How the delay of a retry grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackoffKind {
    /// It stays the same.
    Fixed,
    /// It doubles.
    Exponential,
}

/// The words for the growth of a delay.
pub const BACKOFF_KINDS: [(&str, BackoffKind); 2] = [
    ("fixed", BackoffKind::Fixed),
    ("exponential", BackoffKind::Exponential),
];
