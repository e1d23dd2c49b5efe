//! The panes of the screens. Each owns what it has selected and how far it is scrolled.

pub(super) mod cluster;
pub(super) mod detail;
pub(super) mod failures;
pub(super) mod log;
mod outcome;
pub(super) mod pane;
pub(super) mod running;
pub(super) mod set;
mod test_line;
pub(super) mod test_list;
pub(super) mod workers;
