//! `maelstrom-run`: any program.
//!
//! ```text
//! command line ─▶ one job ────────────────────────┐
//! input ─split─▶ objects ─▶ containers, jobs ─────┴─▶ workshop ─▶ Job
//! ```
//!
//! - [`options`]: the command line; `options_error`: what can be wrong with it.
//! - [`container_options`]: what of it is about the container. - `command`: the job that it names.
//! - [`mount`]: mounts on it.
//! - [`split`]: where the objects of an input end. - [`input`]: what they say.
//! - [`default_container`]: what a job gets that asks for no container.
//! - `image_mounts`: what a program of an image finds besides.
//! - [`job_builder`]: from a job as it is described to one that can be run.
//! - [`framework`]: an input's jobs as rows of the dashboard.
//! - [`escape`]: the way back from a job that has the terminal.

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
