//! The user interfaces: the dashboard, reports and recordings.
//!
//! Everything here is driven by [`maelstrom_model::event`] alone: whatever a screen shows was in
//! the event stream.

// Private modules say `pub` for what the rest of this package uses.
#![allow(unreachable_pub)]

pub mod background;
pub mod dashboard;
pub mod diagnostic;
pub mod log;
pub mod model;
pub mod record;
pub mod report;
mod sgr;
pub mod style;
pub mod terminal;
pub mod ui_choice;
