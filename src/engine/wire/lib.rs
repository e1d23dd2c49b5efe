//! The cluster's messages, what they mean, and a client's side of them.
//!
//! - [`v1`]: the messages of `proto/maelstrom/v1` as compiled. [`reapi`]: those of the Remote
//!   Execution API.
//! - [`from_proto`]: what others sent, checked against [`limits`]. [`error`]: what is wrong with it.
//! - [`to_proto`]: what we send. [`linger`]: when. [`versions`]: who can talk to whom.
//! - [`connection`]: a secured connection to a broker. [`session`]: a client's jobs on it.
//! - [`toolbox`]: whether two machines have the same files.

pub mod connection;
pub mod error;
pub mod from_proto;
pub mod limits;
pub mod linger;
pub mod reapi;
pub mod session;
pub mod to_proto;
pub mod toolbox;
pub mod versions;

#[cfg(test)]
mod texts;

/// As compiled from `proto/maelstrom/v1`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    tonic::include_proto!("maelstrom.v1");
}
