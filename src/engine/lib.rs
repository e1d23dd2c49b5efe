//! Runs tests: the run itself, its history, and the backend that runs jobs on this machine.
//!
//! - [`run`]: one run, from discovery to exit code.
//! - [`local`]: runs jobs in containers on this machine; [`schedule`] is its queue, pure.
//! - [`shared_process`]: tests that share a process, each with its own result.
//! - [`layer_cache`]: the layers and images of containers.
//! - [`cache_kind`]: the owner of a cache directory. [`job_file`]: jobs kept for debugging.
//! - [`libraries`]: the shared libraries that programs need. [`log`]: the program's own log.

pub mod cache_kind;
pub mod job_file;
pub mod layer_cache;
pub mod libraries;
pub mod local;
pub mod log;
pub mod run;
pub mod schedule;
pub mod shared_process;
