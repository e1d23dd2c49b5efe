//! What whoever operates a broker watches it by: figures and health.
//!
//! - [`snapshot`]: the figures. [`metrics`]: as text for Prometheus.
//! - [`health`]: whether the broker can be sent work. [`http`]: both, by HTTP.

pub mod health;
pub mod http;
pub mod metrics;
pub mod snapshot;
