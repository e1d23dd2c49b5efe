//! Container images: from a name to a stack of trees.
//!
//! ```text
//! ImageUri ──▶ registry ─┐                 index ──▶ manifest ──▶ configuration
//!              layout    ├─▶ documents ──▶    (by platform)          │
//!              archive  ─┘                                           ▼
//!                       └──▶ layers ── download, check, decompress, unpack ──▶ Tree, Tree, …
//! ```
//!
//! A [`ImageCache`] keeps what it fetched in a store: documents as blobs, layers as trees by the hash of
//! their tar, so that images and programs share them. Everything is checked against the digest by
//! which it is referred to, down from the one that a [`ImageLockFile`] or the user gave.
//!
//! This module owns no state besides connections. Deliberately absent: pushing and building images,
//! and users and owners in them, of which a rootless container has only one.

mod archive;
mod auth;
mod cache;
mod compression;
mod credentials;
mod descriptor;
mod document;
mod error;
mod layout;
mod lock_file;
mod platform;
mod reference;
mod registry;
mod transport;
mod unpack;

#[cfg(test)]
mod tests;

pub use cache::{ContainerImage, ImageCache, ImageCacheOptions};
pub use credentials::{CredentialError, CredentialFiles};
pub use document::ImageConfig;
pub use error::ImageError;
pub use lock_file::{ImageLockError, ImageLockFile, ImageLockUpdate, TAG_LOCK_FILE};
pub use platform::Platform;
pub use reference::{ImageUri, LocalForm, ReferenceError, RegistryReference, TagOrDigest};
pub use transport::{RetryPolicy, TlsVerification};
pub use unpack::{LayerPhase, LayerProgress, ProgressCallback};
