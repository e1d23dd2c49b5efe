//! The state of a template's contents.

use std::any::Any;

use maelstrom_wire::v1;

/// Pins contents in the storage until dropped.
pub type PinGuard = Box<dyn Any + Send>;

/// The result of checking a template's contents.
pub enum InventoryCheck {
    /// All contents are present, and pinned.
    Complete(PinGuard),
    /// These contents are missing. The others are pinned, as are these once they are uploaded.
    Lacking(Vec<v1::Digest>, PinGuard),
    /// The template is rejected because of its contents, for this reason.
    Refused(String),
}

/// Whether the storage has a template's contents.
pub(super) enum TemplateReadiness {
    /// A check is running.
    Checking {
        /// Whether another check follows.
        again: bool,
    },
    Lacking,
    Ready,
}
