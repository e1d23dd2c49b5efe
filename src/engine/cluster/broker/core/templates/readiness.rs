//! What is known of a template's contents.

use std::any::Any;

use maelstrom_wire::v1;

/// Pins contents in the storage until dropped.
pub type PinGuard = Box<dyn Any + Send>;

/// The result of checking a template's contents.
pub enum InventoryCheck {
    /// All are present, and pinned.
    Complete(PinGuard),
    /// These are missing. The rest is pinned, and so are these once they are uploaded.
    Lacking(Vec<v1::Digest>, PinGuard),
    /// A template with these contents is rejected, for this reason.
    Refused(String),
}

/// Whether the storage has a template's contents.
pub(super) enum TemplateReadiness {
    /// A check is running.
    Checking {
        /// Whether to check again after that.
        again: bool,
    },
    Lacking,
    Ready,
}
