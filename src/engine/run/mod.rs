//! One run: from the first test found to the program's exit code.
//!
//! ```text
//!   framework ──found──▶ ┌─────────┐ ──submit, stop──▶ backend
//!   commands, signals ─▶ │ machine │ ◀──started, output, finished──
//!                        └─────────┘ ──Event──▶ user interface, recording
//!                             │
//!                          history
//! ```
//!
//! - [`machine`]: every decision, pure; [`message`]: what goes in and comes out.
//! - [`tally`]: what a round's attempts add up to, pure.
//! - [`ending`]: what a job's end means for its test, pure.
//! - [`describe`]: what a detail screen shows of a job, pure.
//! - [`history`]: what earlier runs tell, and what this one adds.
//! - [`attempt`]: attempts and helpers as jobs of a backend.

pub mod attempt;
pub mod describe;
pub mod ending;
pub mod history;
pub mod machine;
pub mod message;
pub mod tally;
