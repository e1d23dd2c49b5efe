//! Makes a tree of a stored layer: decompresses, verifies and unpacks it in one pass.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::compression::StreamDecoder;
use super::error::ImageError;
use maelstrom_container::digest::{ContentHash, DigestHasher};
use maelstrom_container::store::TreeWriter;
use maelstrom_layer::{SpecialFiles, unpack};

/// Part of every image layer's name; grows when the same layer would make another tree.
const FORMAT: &[u8] = b"maelstrom image layer 1";

/// The progress of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerProgress {
    pub layer: ContentHash,
    /// What is being done.
    pub phase: LayerPhase,
    /// How much of it is done.
    pub done_bytes: u64,
    /// How much there is to do.
    pub total_bytes: u64,
}

/// What is being done to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerPhase {
    /// It is being fetched.
    Download,
    /// It is being unpacked; the bytes are those of its compressed form.
    Unpack,
}

/// A progress callback, called from several threads.
pub type ProgressCallback = Arc<dyn Fn(LayerProgress) + Send + Sync>;

/// The name of a layer's tree in the store.
pub(super) fn tree_name(diff_id: ContentHash) -> ContentHash {
    let mut name = DigestHasher::default();
    name.update_framed(FORMAT);
    name.update_framed(diff_id.as_bytes());
    name.finish().hash
}

/// A layer as it is stored.
pub(super) struct LayerSource {
    pub(super) place: String,
    pub(super) size_bytes: u64,
    pub(super) reader: Box<dyn Read + Send>,
}

/// Counts what is read, and tells.
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

/// Hashes what is read.
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

/// Unpacks a layer. Its name is the hash of what is unpacked, which is checked on the way; so
/// nothing that lies, wherever on the way to here, becomes a tree.
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
    // An archive ends before its file does.
    let drained = io::copy(&mut hashed, &mut io::sink());
    let actual = hashed.hasher.finish().hash;
    // What makes no sense because it isn't what it should be is said to be just that.
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
