//! The workers: their processes, connections and leases, and what each has been sent or asked.
//!
//! Pure. A [`WorkerTable`] alone changes a worker. Which worker runs what is decided by the
//! scheduler, which has to be told when one comes or goes.
//!
//! - `state`: all workers. `worker`: one of them. [`registration`]: how one is admitted.
//! - `connections`: orders, and how connections end. `leases`: jobs by fence.
//! - `recovery`: workers from before a restart.
//! - `toolboxes`: what workers provide. `templates`: what they have been sent.
//!
//! Invariants:
//! - A worker has at most one connection, and a connection at most one worker.
//! - A process of a worker keeps its number until it is forgotten.

mod connections;
mod leases;
mod recovery;
mod registration;
mod state;
mod templates;
mod toolboxes;
mod worker;

pub use self::registration::{InstanceOrigin, WorkerOffer};
pub use self::state::WorkerTable;
pub use self::templates::TemplateDelivery;
