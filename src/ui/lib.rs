//! What a person or a CI log sees.
//!
//! Everything here is fed by [`maelstrom_model::event`] alone: whatever a screen shows, the event
//! stream said.

pub mod background;
pub mod choose;
pub mod dashboard;
pub mod diagnostic;
pub mod log;
pub mod model;
pub mod record;
mod rendition;
pub mod report;
pub mod style;
pub mod terminal;
