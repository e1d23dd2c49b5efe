//! Who may speak to whom in a cluster, and how that is kept private.
//!
//! - [`client`]: connections to a broker.

pub mod client;
