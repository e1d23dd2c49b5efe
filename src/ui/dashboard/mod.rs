//! The interactive, full-screen dashboard of a run.
//!
//! Its state is [`app::App`], changed only by messages; [`view::view`] draws it. Both are pure, so
//! every screen and every key is tested without a terminal. The dashboard does not know how tests
//! are run: it gets events and sends commands.

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
mod text;
pub mod theme;
pub mod view;
mod widgets;
mod writer;

pub use app::{EventSource, OnFinish, PlaybackState};
pub use run::{DashboardEnd, DashboardError, DashboardOptions, DashboardOutcome, run};
