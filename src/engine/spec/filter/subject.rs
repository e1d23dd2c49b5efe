//! The subject of a pattern: a test of one of the runners, as far as it is known.
//!
//! A runner learns about a test in steps (the package, then the target, then the case), and the
//! types here have exactly those steps, so that no inconsistent state can be described.

/// A text that a selector compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectField {
    /// The case's name; pytest's report name.
    Name,
    /// The package's name; in Go its import path.
    Package,
    /// Go: the directory below the module's root, empty at the root.
    PackagePath,
    /// Go: the name in the `package` clause.
    PackageName,
    /// pytest: the node id.
    NodeId,
    /// pytest: the path from the project directory.
    File,
}

/// The kind of a cargo target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetKind {
    /// A library of any sort (proc-macro crates too), and whatever is none of the others.
    Library,
    Binary,
    Test,
    Example,
    Benchmark,
}

/// A test, as far as it is known. `None` always means "not known yet".
pub trait FilterSubject {
    /// The text of a field.
    fn text(&self, field: SubjectField) -> Option<&str>;

    /// The target the test belongs to.
    fn target(&self) -> Option<SubjectTarget<'_>>;

    /// Whether the test itself carries this marker.
    fn has_marker(&self, marker: &str) -> Option<bool>;
}

/// A cargo target.
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
    /// The case's name, once it is known.
    pub case: Option<&'a str>,
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
}

/// A test of `maelstrom-go-test`.
#[derive(Clone, Copy, Debug)]
pub struct GoSubject<'a> {
    /// The package's import path.
    pub import_path: &'a str,
    /// The package's directory below the module's root, empty at the root.
    pub path: &'a str,
    /// The name in the `package` clause.
    pub name: &'a str,
    /// The case's name, once it is known.
    pub case: Option<&'a str>,
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
}

/// A test of `maelstrom-pytest`, once it is known; before, there is nothing to ask about.
#[derive(Clone, Copy, Debug)]
pub struct PytestSubject<'a> {
    /// The path of its file from the project directory.
    pub file: &'a str,
    /// pytest's report name, such as `TestBox.test_lid`.
    pub name: &'a str,
    pub node_id: &'a str,
    /// The names of the test's own markers.
    pub markers: &'a [String],
}

impl PytestSubject<'_> {
    /// The package that all of pytest's tests belong to.
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
}
