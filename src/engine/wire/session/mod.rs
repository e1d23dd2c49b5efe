//! A client's session with a broker: jobs on their way to the cluster and back.
//!
//! ```text
//!  submit ─▶ template (prepared once for many jobs) ─▶ upload what the broker lacks ─▶ Submit
//!  next   ◀─ events of the session
//! ```
//!
//! - [`dispatch`]: the entry point. [`session_stream`]: the stream, which reconnects.
//! - [`prepare`]: turns containers into portable templates. [`tree`]: turns directories into blobs.
//! - [`remote`]: the state of the jobs that the broker has.
//!
//! After a reconnect the client repeats everything that the broker may not know, and the broker
//! recognizes what it already knows. So each job has one outcome, whatever happens to the
//! connections or the broker.

pub mod dispatch;
pub mod prepare;
pub mod remote;
mod session_stream;
pub mod tree;
