//! A client's session with a broker: jobs on their way to the cluster and back.
//!
//! ```text
//!  submit ─▶ template (prepared once for many jobs) ─▶ upload what the broker lacks ─▶ Submit
//!  next   ◀─ events of the session
//! ```
//!
//! - [`dispatch`]: the whole of it. [`session_stream`]: the stream, made again when it breaks.
//! - [`prepare`]: what a container needs elsewhere. [`tree`]: directories as contents.
//! - [`remote`]: jobs that are with the broker.
//!
//! When the session breaks, everything that the broker may not know is said again; it recognizes
//! what it knows. So each job has one outcome here, whatever happens to connections or the broker.

pub mod dispatch;
pub mod prepare;
pub mod remote;
mod session_stream;
pub mod tree;
