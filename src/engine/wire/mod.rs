//! The messages of `proto/maelstrom/v1`, and what they mean.
//!
//! - [`v1`]: as compiled; nothing above this module keeps one.
//! - [`from_proto`]: what others sent, checked against [`limits`]. [`error`]: what is wrong with it.
//! - [`to_proto`]: what we send. [`linger`]: when. [`versions`]: who can talk to whom.

pub mod error;
pub mod from_proto;
pub mod limits;
pub mod linger;
pub mod to_proto;
pub mod versions;

#[cfg(test)]
mod texts;

/// As compiled from `proto/maelstrom/v1`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    tonic::include_proto!("maelstrom.v1");
}
