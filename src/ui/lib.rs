//! The user interfaces: the dashboard, reports and recordings, and reports for machines.
//!
//! They depend only on the event stream of [`maelstrom_model::event`]: everything displayed comes
//! from an event.

pub mod background;
pub mod dashboard;
pub mod diagnostic;
pub mod export;
pub mod log;
pub mod model;
pub mod record;
pub mod report;
mod sgr;
pub mod style;
pub mod terminal;
pub mod terminal_features;
mod terminal_status;
pub mod ui_choice;
