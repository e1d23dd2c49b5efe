//! Container images: from a name to a stack of trees.
//!
//! ```text
//! ImageUri ──▶ registry ─┐                 index ──▶ manifest ──▶ configuration
//!              layout    ├─▶ documents ──▶    (by platform)          │
//!              archive  ─┘                                           ▼
//!                       └──▶ layers ── download, check, decompress, unpack ──▶ Tree, Tree, …
//! ```
//!
//! A [`Depot`] keeps what it fetched in a store: documents as blobs, layers as trees by the hash of
//! their tar, so that images and programs share them. Everything is checked against the digest by
//! which it is referred to, down from the one that a [`TagLock`] or the user gave.
//!
//! This module owns no state besides connections. Deliberately absent: pushing and building images,
//! and users and owners in them, of which a rootless container has only one.

mod archive;
mod auth;
mod compression;
mod credentials;
mod depot;
mod document;
mod error;
mod layout;
mod platform;
mod reference;
mod registry;
mod tags;
mod transport;
mod unpack;

#[cfg(test)]
mod tests;

pub use credentials::{CredentialError, CredentialFiles};
pub use depot::{Depot, DepotOptions, Image};
pub use document::Settings;
pub use error::ImageError;
pub use platform::Platform;
pub use reference::{ImageUri, LocalForm, ReferenceError, RegistryReference, Version};
pub use tags::{Saved, TAG_LOCK_FILE, TagLock, TagLockError};
pub use transport::{Certificates, Patience};
pub use unpack::{LayerPhase, LayerProgress, ProgressCallback};
