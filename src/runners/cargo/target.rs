//! Cargo targets, and the test binaries that are built from them.

use std::fmt;

use cargo_metadata::camino::Utf8PathBuf;

use maelstrom_spec::filter;
pub use maelstrom_spec::filter::TargetKind;

/// A target of a package.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PackageTarget {
    pub name: String,
    pub kind: TargetKind,
}

/// Returns the name of a target's kind.
pub fn kind_word(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Library => "library",
        TargetKind::Binary => "binary",
        TargetKind::Test => "test",
        TargetKind::Example => "example",
        TargetKind::Benchmark => "benchmark",
        TargetKind::Doctest => "doctest",
    }
}

/// A program that contains tests.
#[derive(Clone, Debug)]
pub struct TestBinary {
    /// The target from which it is built.
    pub target: PackageTarget,
    /// How it interprets its arguments.
    pub harness: TestHarness,
    pub executable: Utf8PathBuf,
}

/// The code that interprets a test binary's arguments and runs its tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestHarness {
    /// libtest, which is part of the Rust distribution.
    Libtest,
    /// A `main` of the project's own (`harness = false`), which may or may not understand libtest's
    /// arguments.
    Own,
}

impl PackageTarget {
    /// Converts a target from cargo's description.
    pub fn from_metadata(target: &cargo_metadata::Target) -> PackageTarget {
        let kind = if target.is_bin() {
            TargetKind::Binary
        } else if target.is_test() {
            TargetKind::Test
        } else if target.is_example() {
            TargetKind::Example
        } else if target.is_bench() {
            TargetKind::Benchmark
        } else {
            TargetKind::Library
        };
        PackageTarget {
            name: target.name.clone(),
            kind,
        }
    }

    /// Returns the target as filter patterns see it.
    pub fn as_subject(&self) -> filter::SubjectTarget<'_> {
        filter::SubjectTarget {
            name: &self.name,
            kind: self.kind,
        }
    }
}

impl fmt::Display for PackageTarget {
    /// Writes the artifact of a test's key: `cli(test)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}({})", self.name, kind_word(self.kind))
    }
}
