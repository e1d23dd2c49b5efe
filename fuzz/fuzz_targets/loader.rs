//! The loader's cache of libraries.
#![no_main]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use maelstrom_fuzz::{Parts, file};
use maelstrom_layer::LoaderCache;

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    let bytes = match parts.byte() % 4 {
        0 => parts.0.to_vec(),
        1 => table(parts),
        // Behind an older table, of whose length it speaks truly or not.
        _ => {
            let count = u32::from(parts.byte());
            let told = [count.to_le_bytes(), [parts.byte(), parts.byte(), 0, 0]];
            let length = 12 * count as usize;
            let mut bytes = OLD_MAGIC.to_vec();
            bytes.extend(told[usize::from(parts.byte() % 2)]);
            bytes.resize((bytes.len() + length).next_multiple_of(8), 0xee);
            bytes.extend(table(parts));
            bytes
        }
    };
    let cache = LoaderCache::read(&file("ld.so.cache", &bytes));
    // Whatever could be a name in it.
    let names: BTreeSet<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    for name in names {
        for path in cache.find(OsStr::from_bytes(name)) {
            let path = path.as_os_str().as_bytes();
            let there = bytes.windows(path.len() + 1);
            let mut ended = there.filter(|window| window.last() == Some(&0));
            assert!(ended.any(|window| window.starts_with(path)));
        }
    }
});

/// A table of so many entries, and whatever follows.
fn table(mut parts: Parts<'_>) -> Vec<u8> {
    let entries = parts.byte();
    let told = match parts.byte() {
        0 => u32::MAX,
        other => u32::from(entries)
            .wrapping_add(u32::from(other))
            .wrapping_sub(1),
    };
    let mut table = NEW_MAGIC.to_vec();
    table.extend(told.to_le_bytes());
    table.resize(48, 0);
    for _ in 0..entries {
        table.extend([parts.byte(), 3, 0, 0]);
        let places = [parts.byte(), parts.byte(), parts.byte(), parts.byte()];
        table.extend([places[0], places[1], 0, 0, places[2], places[3], 0, 0]);
        table.extend([0; 4]);
        table.extend([0, 0, 0, 0, 0, 0, 0, parts.byte() & 0x40]);
    }
    table.extend(parts.0);
    table
}
