//! Runs tests: the course of a run, its history, and the backend that runs jobs on this machine.
//!
//! - [`run`]: one run, from discovery to exit code.
//! - [`local`]: runs jobs in containers on this machine; [`schedule`] is the pure queue inside it.
//! - [`shared_process`]: tests that share a process, each with a result of its own.
//! - [`layer_cache`]: what containers are made of, made and kept in place.
//! - [`cache_kind`]: whose a cache directory is. [`job_file`]: jobs kept for a person.
//! - [`libraries`]: which shared libraries programs need. [`log`]: where the program's own log goes.

pub mod cache_kind;
pub mod job_file;
pub mod layer_cache;
pub mod libraries;
pub mod local;
pub mod log;
pub mod run;
pub mod schedule;
pub mod shared_process;
