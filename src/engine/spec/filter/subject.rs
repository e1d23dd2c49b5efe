//! The subject of a pattern: a test of one of the runners, as far as it is known.
//!
//! A runner learns about a test in steps (the package, then the target, then the case). The types
//! here have exactly these steps, so that inconsistent states cannot be represented.

/// A text field of a test that a selector compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectField {
    /// The name of the case; for pytest, the name in reports.
    Name,
    /// The name of the package; for Go, its import path.
    Package,
    /// Go: the package's directory relative to the module's root, empty for the root itself.
    PackagePath,
    /// Go: the name in the `package` clause.
    PackageName,
    /// pytest: the node id.
    NodeId,
    /// pytest: the file's path relative to the project directory.
    File,
}

/// The kind of a cargo target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetKind {
    /// A library of any kind, including proc-macro crates, and any target that is none of the
    /// others.
    Library,
    Binary,
    Test,
    Example,
    Benchmark,
    /// The doctests of a library, which are no target of cargo's.
    Doctest,
}

/// What earlier runs say of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PastResults {
    /// The test failed when it last ran.
    pub failed: bool,
    /// The test both passed and failed in one of its last runs.
    pub flaky: bool,
    /// The test usually takes long.
    pub slow: bool,
    /// No earlier run is known.
    pub new: bool,
}

/// A word for what earlier runs say of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PastWord {
    Failed,
    Flaky,
    Slow,
    New,
}

impl PastWord {
    /// All words.
    pub const ALL: [PastWord; 4] = [
        PastWord::Failed,
        PastWord::Flaky,
        PastWord::Slow,
        PastWord::New,
    ];

    /// Returns the word as it is written.
    pub fn word(self) -> &'static str {
        match self {
            PastWord::Failed => "failed",
            PastWord::Flaky => "flaky",
            PastWord::Slow => "slow",
            PastWord::New => "new",
        }
    }

    /// Returns whether it describes a test with these results.
    pub fn describes(self, past: PastResults) -> bool {
        match self {
            PastWord::Failed => past.failed,
            PastWord::Flaky => past.flaky,
            PastWord::Slow => past.slow,
            PastWord::New => past.new,
        }
    }
}

/// A test, as far as it is known. `None` always means "not known yet".
pub trait FilterSubject {
    /// Returns the text of a field.
    fn text(&self, field: SubjectField) -> Option<&str>;

    /// Returns the target that contains the test.
    fn target(&self) -> Option<SubjectTarget<'_>>;

    /// Returns whether the test itself has this marker.
    fn has_marker(&self, marker: &str) -> Option<bool>;

    /// Returns what earlier runs say of the test.
    fn past(&self) -> Option<PastResults>;
}

/// A cargo target, the unit that is built into one test binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectTarget<'a> {
    pub name: &'a str,
    pub kind: TargetKind,
}

/// A test of `cargo maelstrom`.
#[derive(Clone, Copy, Debug)]
pub struct CargoSubject<'a> {
    pub package: &'a str,
    /// The target, once it is known.
    pub target: Option<SubjectTarget<'a>>,
    /// The name of the case, once it is known.
    pub case: Option<&'a str>,
    /// What earlier runs say of the case.
    pub past: Option<PastResults>,
}

impl FilterSubject for CargoSubject<'_> {
    fn text(&self, field: SubjectField) -> Option<&str> {
        match field {
            SubjectField::Name => self.case,
            SubjectField::Package => Some(self.package),
            SubjectField::PackagePath
            | SubjectField::PackageName
            | SubjectField::NodeId
            | SubjectField::File => None,
        }
    }

    fn target(&self) -> Option<SubjectTarget<'_>> {
        self.target
    }

    fn has_marker(&self, _marker: &str) -> Option<bool> {
        None
    }

    fn past(&self) -> Option<PastResults> {
        self.past
    }
}

/// A test of `maelstrom-go-test`.
#[derive(Clone, Copy, Debug)]
pub struct GoSubject<'a> {
    /// The import path of the package.
    pub import_path: &'a str,
    /// The package's directory relative to the module's root, empty for the root itself.
    pub path: &'a str,
    /// The name in the `package` clause.
    pub name: &'a str,
    /// The name of the case, once it is known.
    pub case: Option<&'a str>,
    /// What earlier runs say of the case.
    pub past: Option<PastResults>,
}

impl FilterSubject for GoSubject<'_> {
    fn text(&self, field: SubjectField) -> Option<&str> {
        match field {
            SubjectField::Name => self.case,
            SubjectField::Package => Some(self.import_path),
            SubjectField::PackagePath => Some(self.path),
            SubjectField::PackageName => Some(self.name),
            SubjectField::NodeId | SubjectField::File => None,
        }
    }

    fn target(&self) -> Option<SubjectTarget<'_>> {
        None
    }

    fn has_marker(&self, _marker: &str) -> Option<bool> {
        None
    }

    fn past(&self) -> Option<PastResults> {
        self.past
    }
}

/// A test of `maelstrom-pytest`. It has no partial state, because pytest's collection reports
/// everything at once.
#[derive(Clone, Copy, Debug)]
pub struct PytestSubject<'a> {
    /// The file's path relative to the project directory.
    pub file: &'a str,
    /// The name in pytest's reports, such as `TestBox.test_lid`.
    pub name: &'a str,
    pub node_id: &'a str,
    /// The names of the test's own markers.
    pub markers: &'a [String],
    /// What earlier runs say of the test.
    pub past: Option<PastResults>,
}

impl PytestSubject<'_> {
    /// The package name of all pytest tests.
    pub const PACKAGE: &'static str = "default";
}

impl FilterSubject for PytestSubject<'_> {
    fn text(&self, field: SubjectField) -> Option<&str> {
        match field {
            SubjectField::Name => Some(self.name),
            SubjectField::Package => Some(Self::PACKAGE),
            SubjectField::NodeId => Some(self.node_id),
            SubjectField::File => Some(self.file),
            SubjectField::PackagePath | SubjectField::PackageName => None,
        }
    }

    fn target(&self) -> Option<SubjectTarget<'_>> {
        None
    }

    fn has_marker(&self, marker: &str) -> Option<bool> {
        Some(self.markers.iter().any(|own| own == marker))
    }

    fn past(&self) -> Option<PastResults> {
        self.past
    }
}
