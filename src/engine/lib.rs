//! Runs tests: the run itself, its history, and the backend that runs jobs on this machine.
//!
//! - [`run`]: one run, from discovery to exit code.
//! - [`local`]: runs jobs in containers on this machine; [`schedule`]: its job queue, pure.
//! - [`layer_cache`]: provides the layers and images of containers.
//! - [`cache_kind`]: marks the owner of a cache directory. [`job_file`]: saves jobs for debugging.
//! - [`libraries`]: a layer with the shared libraries of a program. [`log`]: the program's own log.

pub mod cache_kind;
pub mod job_file;
pub mod layer_cache;
pub mod libraries;
pub mod local;
pub mod log;
pub mod run;
pub mod schedule;
