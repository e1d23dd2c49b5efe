//! Converts a stored layer to a tree: decompresses, verifies and unpacks it in one pass.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::compression::StreamDecoder;
use super::error::ImageError;
use maelstrom_container::digest::{ContentHash, DigestHasher};
use maelstrom_container::store::TreeWriter;
use maelstrom_layer::{SpecialFiles, unpack};

/// Part of every image layer's name. Must be increased when the same layer would become another
/// tree.
const FORMAT: &[u8] = b"maelstrom image layer 1";

/// The progress of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerProgress {
    pub layer: ContentHash,
    /// What is happening to the layer.
    pub phase: LayerPhase,
    /// The number of bytes that are done.
    pub done_bytes: u64,
    /// The total number of bytes.
    pub total_bytes: u64,
}

/// What is happening to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerPhase {
    /// The layer is being downloaded.
    Download,
    /// The layer is being unpacked; the bytes are those of its compressed form.
    Unpack,
}

/// A progress callback, called from several threads.
pub type ProgressCallback = Arc<dyn Fn(LayerProgress) + Send + Sync>;

/// Returns the name of a layer's tree in the store.
pub(super) fn tree_name(diff_id: ContentHash) -> ContentHash {
    let mut name = DigestHasher::default();
    name.update_framed(FORMAT);
    name.update_framed(diff_id.as_bytes());
    name.finish().hash
}

/// A layer in its stored form.
pub(super) struct LayerSource {
    pub(super) place: String,
    pub(super) size_bytes: u64,
    pub(super) reader: Box<dyn Read + Send>,
}

/// Counts the bytes that are read, and reports progress.
struct ProgressReader {
    reader: Box<dyn Read + Send>,
    done: LayerProgress,
    progress: ProgressCallback,
}

impl Read for ProgressReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.done.done_bytes += count as u64;
        (self.progress)(self.done);
        Ok(count)
    }
}

/// Hashes the bytes that are read.
struct HashingReader<R> {
    reader: R,
    hasher: DigestHasher,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Unpacks a layer. Its name is the hash of the unpacked content, which is verified while
/// unpacking, so a layer that was modified on the way never becomes a tree.
pub(super) fn unpack_layer(
    source: LayerSource,
    diff_id: ContentHash,
    progress: ProgressCallback,
    writer: &mut TreeWriter,
) -> Result<(), ImageError> {
    let LayerSource {
        place,
        size_bytes,
        reader,
    } = source;
    let counted = ProgressReader {
        reader,
        done: LayerProgress {
            layer: diff_id,
            phase: LayerPhase::Unpack,
            done_bytes: 0,
            total_bytes: size_bytes,
        },
        progress,
    };
    let read = |source| ImageError::Read {
        place: place.clone(),
        source,
    };
    let mut hashed = HashingReader {
        reader: StreamDecoder::new(counted).map_err(read)?,
        hasher: DigestHasher::default(),
    };
    let unpacked = unpack(Path::new(&place), &mut hashed, SpecialFiles::Skip, writer);
    // The archive may end before its file does.
    let drained = io::copy(&mut hashed, &mut io::sink());
    let actual = hashed.hasher.finish().hash;
    // If the content has the wrong hash, that is the error to report, rather than one of unpacking
    // it.
    if drained.is_ok() && actual != diff_id {
        return Err(ImageError::Mismatch {
            place,
            expected: diff_id,
            actual,
        });
    }
    unpacked?;
    drained.map(drop).map_err(read)
}
