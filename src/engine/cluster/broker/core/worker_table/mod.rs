//! The workers: their processes, connections and leases, and the orders and queries that each got.
//!
//! Pure. Only [`WorkerTable`] changes a worker. The scheduler decides which worker runs which job,
//! and has to be notified when a worker joins or leaves.
//!
//! - `state`: all workers. `worker`: one of them. [`registration`]: how one is admitted.
//! - `connections`: orders, and how connections end. `leases`: jobs by fence.
//! - `recovery`: workers from before a restart.
//! - `toolboxes`: what workers provide. `templates`: what they have been sent.
//!
//! Invariants:
//! - A worker has at most one connection, and a connection at most one worker.
//! - A worker process keeps its id until it is forgotten.

mod connections;
mod leases;
mod recovery;
mod registration;
mod state;
mod templates;
mod toolboxes;
mod worker;

pub(super) use self::registration::{InstanceOrigin, WorkerOffer};
pub(super) use self::state::WorkerTable;
pub(super) use self::templates::TemplateDelivery;
