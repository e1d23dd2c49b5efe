//! The cluster protocol: its messages, their validation, and the client side of a session.
//!
//! - [`v1`]: the generated messages of `proto/maelstrom/v1`. [`reapi`]: those of the Remote
//!   Execution API.
//! - [`from_proto`]: converts and validates incoming messages, within [`limits`]. [`error`]: its
//!   errors.
//! - [`to_proto`]: converts outgoing messages. [`linger`]: batches them. [`versions`]: negotiates
//!   the protocol version.
//! - [`connection`]: a secured connection to a broker. [`session`]: a client's session over it.
//! - [`toolbox`]: whether two machines provide the same files.

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
mod format;
#[cfg(test)]
mod texts;

/// Generated from `proto/maelstrom/v1`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    tonic::include_proto!("maelstrom.v1");
}
