//! Parses `/etc/ld.so.cache`, in which `ldconfig(8)` records the paths of libraries.
//!
//! The format is that of glibc (`sysdeps/generic/dl-cache.h`, since 2.2): a header of 48 bytes,
//! entries of 24 bytes, and a string table at offsets relative to the header. A table of the older
//! format may precede it. Entries for particular CPUs (`glibc-hwcaps`) are skipped: the generic
//! library runs on every machine to which a job may be sent.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;
const OLD_HEADER_BYTES: usize = 16;
const OLD_ENTRY_BYTES: usize = 12;

/// The maximum length of a name or path. Entries may share a string, and each entry copies it.
const STRING_BYTES_MAX: usize = libc::PATH_MAX as usize;

/// The paths in the cache, by library name.
#[derive(Clone, Debug, Default)]
pub struct LoaderCache {
    libraries: HashMap<OsString, Vec<PathBuf>>,
}

impl LoaderCache {
    /// Reads a cache. Like the loader, treats a missing or damaged cache as empty.
    pub fn read(path: &Path) -> Self {
        std::fs::read(path)
            .ok()
            .and_then(|bytes| parse(&bytes))
            .unwrap_or_default()
    }

    /// Returns the possible paths of a library, for any architecture.
    pub fn find(&self, name: &OsStr) -> &[PathBuf] {
        self.libraries.get(name).map_or(&[], Vec::as_slice)
    }
}

fn parse(bytes: &[u8]) -> Option<LoaderCache> {
    let table = match bytes.strip_prefix(OLD_MAGIC) {
        None => bytes,
        Some(_) => {
            let count = usize::try_from(number(bytes, 12)?).ok()?;
            let end = OLD_HEADER_BYTES.checked_add(count.checked_mul(OLD_ENTRY_BYTES)?)?;
            // The new table begins at a multiple of eight bytes, the alignment of its widest field.
            bytes.get(end.checked_next_multiple_of(8)?..)?
        }
    };
    if !table.starts_with(NEW_MAGIC) {
        return None;
    }
    let count = usize::try_from(number(table, NEW_MAGIC.len())?).ok()?;
    let mut cache = LoaderCache::default();
    for entry in table
        .get(HEADER_BYTES..)?
        .chunks_exact(ENTRY_BYTES)
        .take(count)
    {
        let hardware = entry.get(16..24)?;
        if hardware.iter().any(|byte| *byte != 0) {
            continue;
        }
        let name = string(table, number(entry, 4)?)?;
        let path = string(table, number(entry, 8)?)?;
        cache
            .libraries
            .entry(name.to_owned())
            .or_default()
            .push(path.into());
    }
    Some(cache)
}

/// Decodes a number. Both supported architectures are little-endian.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn string(table: &[u8], at: u32) -> Option<&OsStr> {
    let rest = table.get(usize::try_from(at).ok()?..)?;
    let rest = rest.get(..STRING_BYTES_MAX).unwrap_or(rest);
    let end = rest.iter().position(|byte| *byte == 0)?;
    rest.get(..end).map(OsStr::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Creates a cache like `ldconfig`, optionally after an old table with `old` entries.
    fn cache(entries: &[(&str, &str, u64)], old: Option<u32>) -> Vec<u8> {
        let mut table = NEW_MAGIC.to_vec();
        table.extend((entries.len() as u32).to_le_bytes());
        table.resize(HEADER_BYTES, 0);
        let mut strings = Vec::new();
        let strings_at = HEADER_BYTES + entries.len() * ENTRY_BYTES;
        for (name, path, hardware) in entries {
            let name_at = (strings_at + strings.len()) as u32;
            strings.extend(name.bytes().chain([0]));
            let path_at = (strings_at + strings.len()) as u32;
            strings.extend(path.bytes().chain([0]));
            table.extend(0x303u32.to_le_bytes());
            table.extend(name_at.to_le_bytes());
            table.extend(path_at.to_le_bytes());
            table.extend(0u32.to_le_bytes());
            table.extend(hardware.to_le_bytes());
        }
        table.extend(strings);
        let Some(count) = old else { return table };
        let mut bytes = OLD_MAGIC.to_vec();
        bytes.push(0);
        bytes.extend(count.to_le_bytes());
        bytes.resize(bytes.len() + count as usize * OLD_ENTRY_BYTES, 0xee);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(table);
        bytes
    }

    const ENTRIES: [(&str, &str, u64); 3] = [
        ("liba.so.1", "/fast/liba.so.1", 1 << 62),
        ("liba.so.1", "/lib/liba.so.1", 0),
        ("libb.so", "/lib/libb.so", 0),
    ];

    #[test]
    fn libraries_are_found_in_both_formats() {
        for old in [None, Some(0), Some(3)] {
            let cache = parse(&cache(&ENTRIES, old)).unwrap();
            assert_eq!(
                cache.find(OsStr::new("liba.so.1")),
                [Path::new("/lib/liba.so.1")]
            );
            assert_eq!(cache.find(OsStr::new("libb.so")).len(), 1);
            assert!(cache.find(OsStr::new("libc.so")).is_empty());
        }
    }

    #[test]
    fn garbage_counts_as_empty() {
        assert!(parse(b"").is_none());
        assert!(parse(b"garbage").is_none());
        assert!(LoaderCache::read(Path::new("/")).libraries.is_empty());
    }

    proptest! {
        #[test]
        fn damage_never_panics(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..9),
            length in any::<prop::sample::Index>(),
            old in prop::option::of(0u32..3),
        ) {
            let mut bytes = cache(&ENTRIES, old);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(length.index(bytes.len() + 1));
            let _ = parse(&bytes);
        }
    }
}
