//! What a person or a CI log sees.
//!
//! Everything here is fed by [`maelstrom_model::event`] alone: whatever a screen shows, the event
//! stream said.

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
