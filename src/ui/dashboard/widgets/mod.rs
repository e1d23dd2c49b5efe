//! How the dashboard uses ratatui's widgets: its lines, lists, frames, bars and sparklines.

pub(super) mod bars;
pub(super) mod frame;
pub(super) mod row;
