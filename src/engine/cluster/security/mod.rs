//! Who may speak to whom in a cluster, and how that is kept private.
//!
//! - [`guard`]: who is let in by a broker.
//! - [`roles`]: what somebody may do. [`tokens`]: secrets that say who he is.
//! - [`authority`]: makes certificates and tokens for a team.

pub mod authority;
pub mod guard;
pub mod roles;
pub mod tokens;
