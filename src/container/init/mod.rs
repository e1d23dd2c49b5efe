//! A slot: the process that is PID 1 of one container, and runs one job after another in it.
//!
//! A job gets a container that nothing distinguishes from a fresh one. Making one anew for each job
//! would cost more than most tests, so a slot proves after each job that nothing has changed, makes
//! anew what has, and ends itself, and with it the container, where that is impossible:
//!
//! ```text
//!          ┌──────────── nothing written ─────────────┐
//! build ──▶ idle ── Run ──▶ job ──▶ all processes dead ──▶ audit ── files or packets ──▶ new scratch, new network ──▶ idle
//!                                                            └──── anything else ───▶ exit
//! ```
//!
//! - [`build`]: carries out the plan.
//! - [`level`]: the part of it that copies a directory of the host.
//! - [`audit`]: compares the container with what it was; [`fixed`]: what of its mounts; [`network`]:
//!   the same for its network, which is replaced where it was used.
//! - [`kernel_files`]: files of `proc` that are the whole machine's.
//! - [`null`]: what a job reads from that has no input.
//! - [`discarded`]: what a job wrote over the host's files.
//! - [`container_init`]: what a slot is made of; [`prepare`]: what it does to itself besides.
//!   [`process`]: the loop.
//! - [`job`]: the processes of one job. [`namespaces`]: how many its sandboxes can have.
//! - [`fork_server`]: a process that stays from job to job, and forks them; [`startup_files`]: what it has
//!   written for them.

pub mod audit;
pub mod build;
mod container_init;
mod discarded;
pub mod fixed;
pub mod fork_server;
pub mod job;
pub mod kernel_files;
pub mod level;
pub mod limit;
pub mod namespaces;
pub mod network;
pub mod null;
mod prepare;
pub mod process;
pub mod startup_files;
