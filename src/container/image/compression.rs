//! Detects the compression of a stream from its content, because media types are often wrong.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::unix::fs::FileExt;

use flate2::bufread::MultiGzDecoder;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const MAGIC_BYTES: usize = 4;

/// The size of the read buffer in bytes: larger than a disk's read-ahead, smaller than a CPU cache.
const BUFFER_BYTES: usize = 128 * 1024;

/// The compression of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CompressionFormat {
    None,
    Gzip,
    Zstd,
}

impl CompressionFormat {
    fn of(head: &[u8]) -> Self {
        if head.starts_with(&GZIP_MAGIC) {
            CompressionFormat::Gzip
        } else if head.starts_with(&ZSTD_MAGIC) || is_skippable(head) {
            CompressionFormat::Zstd
        } else {
            CompressionFormat::None
        }
    }

    /// Detects the compression of a file. The file's position does not change.
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        let mut head = [0; MAGIC_BYTES];
        let count = file.read_at(&mut head, 0)?;
        Ok(CompressionFormat::of(head.get(..count).unwrap_or_default()))
    }
}

/// Returns whether this is a Zstandard frame without content, which may come first (RFC 8878,
/// section 3.1.2).
fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

type PeekedInput = BufReader<io::Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>>;

/// A stream, decompressed if necessary.
pub(super) enum StreamDecoder {
    None(PeekedInput),
    Gzip(Box<MultiGzDecoder<PeekedInput>>),
    Zstd(zstd::Decoder<'static, PeekedInput>),
}

impl StreamDecoder {
    /// Detects the compression from the beginning of a stream.
    pub(super) fn new(mut stream: impl Read + Send + 'static) -> io::Result<Self> {
        let mut head = Vec::new();
        stream
            .by_ref()
            .take(MAGIC_BYTES as u64)
            .read_to_end(&mut head)?;
        let compression = CompressionFormat::of(&head);
        let stream: Box<dyn Read + Send> = Box::new(stream);
        let input = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head).chain(stream));
        Ok(match compression {
            CompressionFormat::None => StreamDecoder::None(input),
            CompressionFormat::Gzip => StreamDecoder::Gzip(Box::new(MultiGzDecoder::new(input))),
            CompressionFormat::Zstd => StreamDecoder::Zstd(zstd::Decoder::with_buffer(input)?),
        })
    }
}

impl Read for StreamDecoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            StreamDecoder::None(input) => input.read(buffer),
            StreamDecoder::Gzip(decoder) => decoder.read(buffer),
            StreamDecoder::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn decoded(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        StreamDecoder::new(Cursor::new(bytes))?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn all_kinds_of_streams_come_out_plain() {
        let plain = b"some text, some text, some text".to_vec();
        let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &zstd].concat();
        for bytes in [plain.clone(), gzip(&plain), zstd, skippable] {
            assert_eq!(decoded(bytes).unwrap(), plain);
        }
        let two_members = [gzip(&plain), gzip(&plain)].concat();
        assert_eq!(decoded(two_members).unwrap(), plain.repeat(2));
        for short in [vec![], vec![0x1f], vec![0x28, 0xb5]] {
            assert_eq!(decoded(short.clone()).unwrap(), short);
        }
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        let plain = b"some text, some text, some text";
        for whole in [gzip(plain), zstd::encode_all(&plain[..], 1).unwrap()] {
            assert!(decoded(whole[..whole.len() - 5].to_vec()).is_err());
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(magic in 0usize..3, bytes in any::<Vec<u8>>()) {
            let head: &[u8] = [&GZIP_MAGIC[..], &ZSTD_MAGIC[..], &[]][magic];
            let _ = decoded([head, &bytes].concat());
        }
    }
}
