//! The container init: PID 1 of one container, which runs one job after another in it.
//!
//! Each job gets a container that is indistinguishable from a new one. Creating a new one for each
//! job would cost more than most tests. So after each job the container init checks that nothing
//! has changed, recreates what has changed, and exits if that is impossible, which ends the
//! container:
//!
//! ```text
//!           ┌───────────────── nothing written ────────────────┐
//!           ▼                                                  │
//! build ─▶ idle ── Run ──▶ job ──▶ all processes dead ──▶ audit
//!           ▲                                              │  └─ anything else ──▶ exit
//!           └── new scratch, new network ◀── files or packets
//! ```
//!
//! - [`build`]: executes the plan. [`files`]: creates directories and empty files. [`level`]: the
//!   step that copies a directory of the host.
//! - [`audit`]: compares the container with its baseline. [`fixed`]: its mounts. [`network`]: its
//!   network, which is replaced after use.
//! - [`kernel_files`]: files of `proc` that are global to the machine.
//! - [`null`]: the standard input of jobs without input.
//! - [`discarded`]: lists the files that a job wrote over the host's files.
//! - [`container_init`]: the state of a container init. [`prepare`]: its setup apart from the plan.
//!   [`process`]: its main loop.
//! - [`job`]: the processes of one job. [`leaks`]: those that it leaves running. [`threads`]:
//!   describes their threads. [`limit`], [`namespaces`]: resource limits, and limits on
//!   nested namespaces.
//! - [`services`]: programs that run beside each job.
//! - [`fork_server`]: a process that stays from job to job and forks a process for each.
//!   [`startup_files`]: the files that it wrote before it was ready.

pub mod audit;
pub mod build;
mod container_init;
mod discarded;
mod files;
pub mod fixed;
pub mod fork_server;
pub mod job;
pub mod kernel_files;
pub mod leaks;
pub mod level;
pub mod limit;
pub mod namespaces;
pub mod network;
pub mod null;
mod prepare;
pub mod process;
pub mod services;
pub mod startup_files;
pub mod threads;
