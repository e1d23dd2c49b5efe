//! zstd for the Remote Execution API, with limits on the cost of decoding.

use std::io::{self, Write};

use zstd::stream::write::{Decoder, Encoder};

use super::limits::ZSTD_WINDOW_LOG_MAX;

/// The fastest level: compression saves time on a local network, not disk space.
const LEVEL: i32 = 1;

/// The size of the sample that is compressed to find out whether a blob is worth compressing.
const SAMPLE_BYTES: usize = 64 * 1024;

/// Smaller blobs are sent uncompressed, because they take one packet either way.
const SMALL_BYTES: usize = 1024;

/// Compresses what is written to it into memory.
pub type ZstdEncoder = Encoder<'static, Vec<u8>>;

/// Decompresses what is written to it into `Sink`.
pub type ZstdDecoder<Sink> = Decoder<'static, Sink>;

/// Why decompression failed.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The data is not zstd, or is truncated.
    #[error("what came is not whole zstd")]
    Damaged(#[source] io::Error),
    /// The content is longer than announced.
    #[error("what came unpacks to more than the {size_bytes} bytes that were announced")]
    TooLong { size_bytes: u64 },
}

/// Creates a streaming encoder.
pub fn packer() -> io::Result<ZstdEncoder> {
    Encoder::new(Vec::new(), LEVEL)
}

/// Creates a streaming decoder with a limited window.
pub fn unpacker<Sink: Write>(sink: Sink) -> io::Result<ZstdDecoder<Sink>> {
    let mut unpacker = Decoder::new(sink)?;
    unpacker.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(unpacker)
}

/// Compresses a small blob.
pub fn pack(content: &[u8]) -> io::Result<Vec<u8>> {
    zstd::bulk::compress(content, LEVEL)
}

/// Decompresses a small blob whose announced size is `size_bytes`.
pub fn unpack(packed: &[u8], size_bytes: u64) -> Result<Vec<u8>, UnpackError> {
    let mut unpacker = unpacker(BoundedBuffer {
        content: Vec::new(),
        size_bytes,
    })
    .map_err(UnpackError::Damaged)?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::FileTooLarge => UnpackError::TooLong { size_bytes },
        _ => UnpackError::Damaged(error),
    };
    unpacker.write_all(packed).map_err(failed)?;
    unpacker
        .finish()
        .map(|bounded| bounded.content)
        .map_err(failed)
}

/// Returns whether compressing this content saves enough to be worth the time.
pub fn is_worthwhile(content: &[u8]) -> bool {
    if content.len() < SMALL_BYTES {
        return false;
    }
    let sample = content.get(..SAMPLE_BYTES).unwrap_or(content);
    pack(sample).is_ok_and(|packed| packed.len() < sample.len() / 4 * 3)
}

/// A buffer that rejects more bytes than announced.
struct BoundedBuffer {
    content: Vec<u8>,
    size_bytes: u64,
}

impl Write for BoundedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.content.len() + bytes.len()) as u64 > self.size_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn contents_survive(content in any::<Vec<u8>>()) {
            let packed = pack(&content).unwrap();
            prop_assert_eq!(unpack(&packed, content.len() as u64).unwrap(), content);
        }

        #[test]
        fn garbage_does_not_panic(packed in any::<Vec<u8>>(), size_bytes in 0u64..1000) {
            if let Ok(content) = unpack(&packed, size_bytes) {
                prop_assert!(content.len() as u64 <= size_bytes);
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_where_it_was_announced_to_end() {
        let packed = pack(&vec![0; 10_000_000]).unwrap();
        assert!(packed.len() < 10_000);
        let error = unpack(&packed, 1000).unwrap_err();
        assert!(
            matches!(error, UnpackError::TooLong { size_bytes: 1000 }),
            "{error}"
        );
    }

    #[test]
    fn a_stream_that_ends_early_is_damaged() {
        let packed = pack(b"content").unwrap();
        let error = unpack(&packed[..packed.len() - 1], 7).unwrap_err();
        assert!(matches!(error, UnpackError::Damaged(_)), "{error}");
    }

    #[test]
    fn a_window_beyond_the_limit_is_refused() {
        let mut encoder = Encoder::new(Vec::new(), LEVEL).unwrap();
        encoder.window_log(ZSTD_WINDOW_LOG_MAX + 1).unwrap();
        encoder.write_all(&[1; 100]).unwrap();
        let packed = encoder.finish().unwrap();
        let error = unpack(&packed, 100).unwrap_err();
        assert!(matches!(error, UnpackError::Damaged(_)), "{error}");
    }

    #[test]
    fn only_what_becomes_smaller_is_worth_it() {
        assert!(is_worthwhile(&[7; 100_000]));
        assert!(!is_worthwhile(&[7; SMALL_BYTES - 1]));
        let noise: Vec<u8> = (0u64..4000)
            .flat_map(|number| {
                maelstrom_container::digest::ContentHash::of(&number.to_le_bytes())
                    .as_bytes()
                    .to_vec()
            })
            .collect();
        assert!(!is_worthwhile(&noise));
    }
}
