//! A slot: the process that is PID 1 of one container, and runs one job after another in it.
//!
//! A job gets a container that nothing distinguishes from a fresh one. Making one anew for each job
//! would cost more than most tests, so a slot proves after each job that nothing has changed, makes
//! anew what has, and ends itself, and with it the container, where that is impossible:
//!
//! ```text
//!          ┌──────────── nothing written ─────────────┐
//! build ──▶ idle ── Run ──▶ job ──▶ all processes dead ──▶ audit ── files written ──▶ new scratch ──▶ idle
//!                                                            └──── anything else ───▶ exit
//! ```
//!
//! - [`build`]: carries out the plan.
//! - [`audit`]: compares the container with what it was.
//! - [`process`]: the loop.
//! - [`job`]: the processes of one job.
//! - [`resident`]: a process that stays from job to job, and forks them; [`heritage`]: what it has
//!   written for them.

pub mod audit;
pub mod build;
pub mod heritage;
pub mod job;
pub mod limit;
pub mod process;
pub mod resident;
