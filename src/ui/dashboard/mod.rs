//! The interactive, full-screen dashboard of a run.
//!
//! [`app::App`] is its state, which only messages change; [`view::view`] draws it. Both are pure,
//! so tests cover every screen and every key without a terminal. The dashboard doesn't know how
//! tests are run: it receives events and sends commands.

mod ansi;
pub mod app;
mod context;
mod controls;
mod external;
mod finder;
mod footer;
pub mod frame_rate;
mod header;
pub mod keys;
mod layout;
pub mod message;
mod nearest;
mod overlay;
mod panes;
mod prompt;
mod rows;
pub mod run;
pub mod screen;
mod screens;
mod scroll;
pub mod settings;
mod shown_run;
mod status_line;
mod tabs;
mod terminal_title;
mod text;
pub mod theme;
pub mod view;
mod widgets;
mod writer;

pub use app::{EventSource, OnFinish, PlaybackState};
pub use run::{DashboardEnd, DashboardError, DashboardOptions, DashboardOutcome, run};
