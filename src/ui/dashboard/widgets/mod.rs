//! Lines, lists, frames, bars and sparklines, based on ratatui's widgets.

pub(super) mod bars;
pub(super) mod frame;
pub(super) mod row;
