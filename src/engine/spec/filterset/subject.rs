//! The subject of a filterset: a test of `cargo maelstrom`, as far as it is known, and the
//! workspace that contains it.

use std::collections::BTreeSet;

use crate::filter::PastResults;

/// A package of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FiltersetPackage {
    pub name: String,
    /// The names of the workspace's packages on which it depends, directly or not, and its own.
    pub dependencies: BTreeSet<String>,
    /// The names of the workspace's packages that depend on it, directly or not, and its own.
    pub dependents: BTreeSet<String>,
}

/// A test binary, or the target from which it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiltersetBinary<'a> {
    pub name: &'a str,
    pub kind: FiltersetBinaryKind,
}

/// The kind of a test binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiltersetBinaryKind {
    Library,
    ProcMacro,
    Binary,
    Test,
    Example,
    Benchmark,
    /// The doctests of a library, which nextest does not run.
    Doctest,
}

/// The platform for which a test binary is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiltersetPlatform {
    /// This machine, for what the compiler loads.
    Host,
    /// That of `--target`.
    Target,
}

/// A test, as far as it is known. `None` means "not known yet".
#[derive(Clone, Copy, Debug)]
pub struct FiltersetSubject<'a> {
    pub package: &'a FiltersetPackage,
    pub binary: Option<FiltersetBinary<'a>>,
    /// The name of the test in its binary.
    pub case: Option<&'a str>,
    /// What earlier runs say of the test.
    pub past: Option<PastResults>,
}

/// The names that a filterset can refer to.
#[derive(Clone, Debug, Default)]
pub struct FiltersetWorkspace {
    pub packages: BTreeSet<String>,
    pub binaries: BTreeSet<String>,
    pub binary_ids: BTreeSet<String>,
}

impl FiltersetPackage {
    /// Returns a package that no other one of the workspace has to do with.
    pub fn alone(name: &str) -> FiltersetPackage {
        let own = BTreeSet::from([name.to_owned()]);
        FiltersetPackage {
            name: name.to_owned(),
            dependencies: own.clone(),
            dependents: own,
        }
    }
}

impl FiltersetBinary<'_> {
    /// Returns the id of the binary, as `cargo nextest` forms it.
    pub fn id(&self, package: &str) -> String {
        match self.kind {
            FiltersetBinaryKind::Library | FiltersetBinaryKind::ProcMacro => package.to_owned(),
            FiltersetBinaryKind::Test => format!("{package}::{}", self.name),
            FiltersetBinaryKind::Binary
            | FiltersetBinaryKind::Example
            | FiltersetBinaryKind::Benchmark
            | FiltersetBinaryKind::Doctest => {
                format!("{package}::{}/{}", self.kind.word(), self.name)
            }
        }
    }
}

impl FiltersetBinaryKind {
    /// Returns the name of the kind, as in `kind()`.
    pub fn word(self) -> &'static str {
        match self {
            FiltersetBinaryKind::Library => "lib",
            FiltersetBinaryKind::ProcMacro => "proc-macro",
            FiltersetBinaryKind::Binary => "bin",
            FiltersetBinaryKind::Test => "test",
            FiltersetBinaryKind::Example => "example",
            FiltersetBinaryKind::Benchmark => "bench",
            FiltersetBinaryKind::Doctest => "doctest",
        }
    }

    /// Returns the platform for which such a binary is built.
    pub fn platform(self) -> FiltersetPlatform {
        match self {
            FiltersetBinaryKind::ProcMacro => FiltersetPlatform::Host,
            FiltersetBinaryKind::Library
            | FiltersetBinaryKind::Binary
            | FiltersetBinaryKind::Test
            | FiltersetBinaryKind::Example
            | FiltersetBinaryKind::Benchmark
            | FiltersetBinaryKind::Doctest => FiltersetPlatform::Target,
        }
    }
}

impl FiltersetPlatform {
    /// Returns the name of the platform, as in `platform()`.
    pub fn word(self) -> &'static str {
        match self {
            FiltersetPlatform::Host => "host",
            FiltersetPlatform::Target => "target",
        }
    }
}

impl FiltersetWorkspace {
    /// Adds a package and its binaries.
    pub fn add<'a>(
        &mut self,
        package: &str,
        binaries: impl IntoIterator<Item = FiltersetBinary<'a>>,
    ) {
        self.packages.insert(package.to_owned());
        for binary in binaries {
            self.binaries.insert(binary.name.to_owned());
            self.binary_ids.insert(binary.id(package));
        }
    }
}
