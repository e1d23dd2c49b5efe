//! Container images: turns a name into a stack of trees.
//!
//! ```text
//! ImageUri ──▶ registry ─┐                 index ──▶ manifest ──▶ configuration
//!              layout    ├─▶ documents ──▶    (by platform)          │
//!              archive  ─┘                                           ▼
//!                       └──▶ layers ── download, check, decompress, unpack ──▶ Tree, Tree, …
//! ```
//!
//! An [`ImageCache`] keeps fetched content in a store: documents as blobs, layers as trees named by
//! the hash of their tar, so images and programs share them. All content is verified against the
//! digest that refers to it, beginning with the one in the [`ImageLockFile`] or given by the user.
//!
//! This crate owns no state besides connections. It neither builds nor pushes images, and it
//! ignores users and owners in them: a rootless container has one user.

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
