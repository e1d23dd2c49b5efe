//! `maelstrom-run`: any program.
//!
//! ```text
//! command line ─▶ one job ────────────────────────┐
//! input ─split─▶ objects ─▶ containers, jobs ─────┴─▶ JobBuilder ─▶ Job
//! ```
//!
//! - [`options`]: the command line; `options_error`: its errors.
//! - [`container_options`]: the options for the container. `command`: the job that they define.
//! - [`mount`]: mounts on the command line.
//! - [`split`]: splits an input into objects. [`input`]: parses them.
//! - [`default_container`]: the container of a job that defines none.
//! - `image_mounts`: mounts that a program of an image needs.
//! - [`job_builder`]: builds runnable jobs from their descriptions.
//! - [`framework`]: an input's jobs as rows of the dashboard.
//! - [`escape`]: escape sequences for a job that has the terminal.

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
