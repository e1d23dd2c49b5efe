//! Maelstrom runs every test of a project in its own hermetic, rootless micro-container and shows
//! the run live.
//!
//! This file is the composition root: the one place that sees every room. The rooms and who may
//! import whom are described in `ARCHITECTURE.md` and held by `tests/tidy.rs`.

pub mod container;
pub mod engine;
pub mod runners;
pub mod ui;
