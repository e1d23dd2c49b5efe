//! The templates of all clients: equal ones are merged, and sent to a worker once.
//!
//! Pure: a [`TemplateRegistry`] decides when to query the storage for a template's contents, and
//! what follows from the answer; the caller runs the queries.
//!
//! - `registry`: which templates there are. [`checks`]: whether the storage has their contents.
//!   `readiness`: what is known of them. `error`: why a template is rejected.
//!
//! Invariant: at most one check of a template runs at a time.

mod checks;
mod error;
mod readiness;
mod registry;

pub use self::checks::CheckedTemplate;
pub use self::error::TemplateError;
pub use self::readiness::{InventoryCheck, PinGuard};
pub use self::registry::{
    DefineOutcome, RequestedToolbox, TemplateRegistry, TemplateToolbox, UnusedTemplates,
};
