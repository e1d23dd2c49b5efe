//! The panes of the screens. Each pane owns its selection and its scroll position.

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
