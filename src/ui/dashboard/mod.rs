//! The interactive, full-screen dashboard of a run.
//!
//! Its state is [`app::App`], changed only by messages; [`view::view`] draws it. Both are pure, so
//! every screen and every key is tested without a terminal. The dashboard does not know how tests
//! are run: it gets events and sends commands.

mod actions;
mod ansi;
pub mod app;
mod external;
mod finder;
pub mod frame_rate;
mod input;
pub mod keys;
mod layout;
mod log_pane;
mod log_selection;
pub mod message;
mod navigate;
mod nearest;
mod prompt;
mod rows;
pub mod run;
pub mod screen;
mod scroll;
pub mod settings;
pub mod theme;
pub mod view;
mod writer;

pub use app::{EventSource, OnFinish, PlaybackState};
pub use run::{DashboardEnd, DashboardError, DashboardOptions, DashboardOutcome, run};
