//! The words for verdicts, delays and shared processes, which files and options have in common.

use maelstrom_model::policy::{FlakyVerdict, LeakVerdict, TimeoutVerdict};

use super::ShareScope;

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

/// The tests that share a container and a process.
pub const SHARE_SCOPES: [(&str, ShareScope); 5] = [
    ("none", ShareScope::None),
    ("class", ShareScope::Class),
    ("file", ShareScope::File),
    ("package", ShareScope::Package),
    ("binary", ShareScope::Binary),
];

/// Returns the word for the tests that share a container and a process.
pub fn share_word(scope: ShareScope) -> &'static str {
    let word = SHARE_SCOPES.iter().find(|(_, known)| *known == scope);
    word.map_or("none", |(word, _)| word)
}

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
