//! The runner for any program, `maelstrom-run`.
//!
//! ```text
//! command line ─▶ one job ────────────────────────┐
//! input ─split─▶ objects ─▶ containers, jobs ─────┴─▶ JobBuilder ─▶ Job
//! ```
//!
//! - [`options`]: parses the command line; `options_error`: its errors.
//! - [`container_options`]: the options for the container. `command`: the job that they define.
//! - [`mount`]: parses mounts on the command line.
//! - [`split`]: splits an input into objects. [`input`]: parses them.
//! - [`default_container`]: defines the container of a job that specifies none.
//! - `image_mounts`: adds the mounts that a program of an image needs.
//! - [`job_builder`]: builds runnable jobs from their descriptions.
//! - [`framework`]: shows an input's jobs as rows of the dashboard.
//! - [`escape`]: parses escape sequences for a job that is connected to the terminal.

pub mod container_options;
pub mod default_container;
pub mod escape;
pub mod framework;
pub mod input;
pub mod job_builder;
pub mod mount;
pub mod options;
pub mod split;

mod command;
mod image_mounts;
mod options_error;

pub use self::options::{
    RunCommandMode, RunCommandOptions, RunCommandOptionsError, RunCommandSettings,
};
