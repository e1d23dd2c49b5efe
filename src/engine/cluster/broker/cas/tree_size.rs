//! The size of a tree once a worker writes it out.
//!
//! Equal directories are described once and may occur many times: a few kilobytes can describe more
//! files than fit in memory. So the size is computed before any worker sees the description. Pure.

use std::collections::HashMap;

use tonic::Status;

use maelstrom_container::digest::Digest;
use maelstrom_wire::reapi::digest::required;
use maelstrom_wire::reapi::v2::Directory;

/// The maximum number of files, directories and symlinks in a tree that workers accept. A large
/// image has some 100,000.
const ENTRIES_MAX: u64 = 1_000_000;

/// The maximum depth of a tree: kernel paths have no room for more.
const DEPTH_MAX: u64 = 1024;

/// The maximum total file size of a tree that workers accept, in bytes.
const BYTES_MAX: u64 = 64 << 30;

/// The number of entries that a tree may have regardless of [`COPIES_MAX`]; a worker keeps them in
/// memory.
const ENTRIES_FREE: u64 = 100_000;

/// The number of bytes that a tree may have regardless of [`COPIES_MAX`].
const BYTES_FREE: u64 = 4 << 30;

/// Beyond these, how many times described content may occur in the tree on average: equal
/// directories are common, but not by the dozen.
const COPIES_MAX: u64 = 4;

/// The sizes of directories.
#[derive(Debug, Default)]
pub(super) struct TreeSizeCounter {
    known: HashMap<Digest, DirectorySize>,
    /// The size of everything that is described, counted once.
    described: TreeSize,
}

#[derive(Debug)]
struct DirectorySize {
    below: Vec<Digest>,
    /// The directory's own entries, and the bytes of its own files.
    own: TreeSize,
    /// The size of the whole tree, once computed.
    whole: Option<TreeSize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TreeSize {
    entries: u64,
    bytes: u64,
    depth: u64,
}

impl TreeSizeCounter {
    /// Adds a directory; each must be added once.
    pub(super) fn add(&mut self, digest: Digest, directory: &Directory) -> Result<(), Status> {
        let mut own = TreeSize {
            entries: (directory.files.len() + directory.directories.len()) as u64
                + directory.symlinks.len() as u64,
            ..TreeSize::default()
        };
        for file in &directory.files {
            let digest = required(file.digest.as_ref())?;
            own.bytes = own.bytes.saturating_add(digest.size_bytes);
        }
        let below = directory.directories.iter();
        let below = below.map(|node| required(node.digest.as_ref()));
        let shape = DirectorySize {
            below: below.collect::<Result<_, _>>()?,
            own,
            whole: None,
        };
        self.described.entries = self.described.entries.saturating_add(own.entries);
        self.described.bytes = self.described.bytes.saturating_add(own.bytes);
        self.known.insert(digest, shape);
        Ok(())
    }

    /// Returns an error unless workers accept these trees, whose directories must all have been
    /// added.
    pub(super) fn check(&mut self, roots: &[Digest]) -> Result<(), Status> {
        let most = |described: u64, free: u64, max: u64| {
            described.saturating_mul(COPIES_MAX).max(free).min(max)
        };
        let entries_max = most(self.described.entries, ENTRIES_FREE, ENTRIES_MAX);
        let bytes_max = most(self.described.bytes, BYTES_FREE, BYTES_MAX);
        for root in roots {
            let whole = self.whole(*root);
            for (count, max, unit) in [
                (whole.entries, entries_max, "entries"),
                (whole.bytes, bytes_max, "bytes"),
                (whole.depth, DEPTH_MAX, "directories in one another"),
            ] {
                if count > max {
                    return Err(Status::invalid_argument(format!(
                        "the tree {root} has more than {max} {unit} when it is written out; equal \
                         directories and files count each time"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Returns the size of a whole tree. Each directory is visited once; none contains itself,
    /// because its digest depends on those of its contents.
    fn whole(&mut self, root: Digest) -> TreeSize {
        let mut waiting = vec![(root, false)];
        while let Some((digest, is_ready)) = waiting.pop() {
            let Some(shape) = self.known.get(&digest) else {
                continue;
            };
            if shape.whole.is_some() {
                continue;
            }
            if !is_ready {
                // Revisited when all directories below are known. Not recursive: the client chooses
                // the depth, and the stack could overflow.
                waiting.push((digest, true));
                waiting.extend(shape.below.iter().map(|below| (*below, false)));
                continue;
            }
            let mut whole = shape.own;
            for below in &shape.below {
                let below = self.known.get(below).and_then(|below| below.whole);
                let below = below.unwrap_or_default();
                whole.entries = whole.entries.saturating_add(below.entries);
                whole.bytes = whole.bytes.saturating_add(below.bytes);
                whole.depth = whole.depth.max(below.depth.saturating_add(1));
            }
            if let Some(shape) = self.known.get_mut(&digest) {
                shape.whole = Some(whole);
            }
        }
        let root = self.known.get(&root).and_then(|shape| shape.whole);
        root.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use maelstrom_wire::reapi::digest::to_wire;
    use maelstrom_wire::reapi::v2::{DirectoryNode, FileNode};

    fn file(name: &str, size_bytes: u64) -> FileNode {
        FileNode {
            name: name.to_owned(),
            digest: Some(to_wire(&Digest {
                size_bytes,
                ..Digest::of(name.as_bytes())
            })),
            ..FileNode::default()
        }
    }

    fn add(shapes: &mut TreeSizeCounter, directory: &Directory) -> Digest {
        let digest = Digest::of(&directory.encode_to_vec());
        shapes.add(digest, directory).unwrap();
        digest
    }

    /// Creates nested directories, each of which contains the next one this many times.
    fn nested(levels: usize, copies: usize, files: Vec<FileNode>) -> Result<(), String> {
        let mut shapes = TreeSizeCounter::default();
        let mut digest = add(
            &mut shapes,
            &Directory {
                files,
                ..Directory::default()
            },
        );
        for _ in 0..levels {
            let node = |number| DirectoryNode {
                name: format!("{number:03}"),
                digest: Some(to_wire(&digest)),
            };
            let directories = (0..copies).map(node).collect();
            digest = add(
                &mut shapes,
                &Directory {
                    directories,
                    ..Directory::default()
                },
            );
        }
        let checked = shapes.check(&[digest]);
        checked.map_err(|status| status.message().to_owned())
    }

    /// Checks what is rejected, and what the error names.
    #[test]
    fn what_little_describes_and_much_becomes_is_refused() {
        let told = |result: Result<(), String>, part: &str| {
            let text = result.unwrap_err();
            assert!(text.contains(part), "{text}");
        };
        // A few hundred bytes describe 16^5 entries.
        told(
            nested(5, 16, vec![file("a", 1)]),
            "more than 100000 entries",
        );
        told(nested(64, 2, vec![file("a", 0)]), "entries");
        told(
            nested(1025, 1, Vec::new()),
            "1024 directories in one another",
        );
        // A file that is described once and occurs 1,000 times.
        told(nested(1, 1_000, vec![file("a", 100 << 20)]), "bytes");
        told(nested(1, 2, vec![file("a", 40 << 30)]), "bytes");
    }

    #[test]
    fn what_projects_have_is_taken() {
        assert_eq!(nested(0, 0, Vec::new()), Ok(()));
        assert_eq!(nested(1024, 1, vec![file("a", 1)]), Ok(()));
        assert_eq!(nested(4, 12, vec![file("a", 1)]), Ok(()));
        assert_eq!(nested(1, 3, vec![file("a", 10 << 30)]), Ok(()));
        let many = (0..300_000).map(|number| file(&number.to_string(), 1 << 10));
        assert_eq!(nested(1, 3, many.collect()), Ok(()));
    }
}
