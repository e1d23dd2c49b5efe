//! Authentication and authorization in a cluster.
//!
//! - [`guard`]: decides which callers a broker admits.
//! - [`roles`]: what each role may do. [`tokens`]: the tokens that identify members.
//! - [`authority`]: issues certificates and tokens for a team.

pub mod authority;
pub mod guard;
pub mod roles;
pub mod tokens;
