//! Monitoring of the broker for operators: metrics and health.
//!
//! - [`snapshot`]: the metrics. [`metrics`]: their encoding for Prometheus.
//! - [`health`]: the broker's readiness. [`http`]: serves both over HTTP.

pub mod health;
pub mod http;
pub mod metrics;
pub mod snapshot;
