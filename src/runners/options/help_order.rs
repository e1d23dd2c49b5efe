//! Positions in the help text for a program's own options, among those of [`super::CommonOptions`].

/// Before all of them.
pub(crate) const FIRST: usize = 1000;
pub(super) const SLOTS: usize = 1100;
pub(super) const ISOLATION: usize = 1101;
/// Between `--isolation` and `--repeat`.
pub(crate) const AFTER_ISOLATION: usize = 1200;
pub(super) const REPEAT: usize = 1300;
pub(super) const STOP_AFTER: usize = 1301;
/// After all of them.
pub(crate) const LAST: usize = 1400;
