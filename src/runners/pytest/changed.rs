//! Finds the files whose tests depend on changed files (`--changed-since`).
//!
//! The units are Python files of the project. Each depends on those that it imports, as
//! `assets/pytest/imports.py` reads them after the collection. The tests of a file also depend on
//!
//! - the `conftest.py` in its directory and in those above it,
//! - every file that is loaded although neither a test nor a `conftest.py` imports it, or before the first
//!   file with tests although no `conftest.py` imports it: a plugin or a framework has, and may do so for
//!   any test,
//! - all files, if it is not a Python file.
//!
//! Tests that need one another are all tested if one of them is.
//!
//! A file that is not Python's belongs to the nearest directory with one that is, and so to all Python
//! files in it and below. A Python file that nobody imports may be loaded by any test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::collection::{ImportGraph, PytestItem};
use super::error::PytestError;
use crate::changed::git::ChangedFiles;
use crate::changed::plan::{ChangedUnits, FileOwner, ProjectUnit, UnitPart, choose};
use crate::changed::{notice, real};
use crate::sandbox::project_spec::files;
use maelstrom_model::event::UserNotice;

/// The file with the fixtures of a directory.
const CONFTEST: &str = "conftest.py";

/// Names of files on which all tests depend.
const SHARED: [&str; 22] = [
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
    "setup.py",
    "noxfile.py",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "pixi.lock",
    "pylock.toml",
    "environment.yml",
    ".python-version",
    "test-requirements.txt",
    "sitecustomize.py",
    "maelstrom-container-tags.lock",
    files::PYTEST.name,
];

/// How the names of lists of requirements begin and end.
const REQUIREMENTS: (&str, &str) = ("requirements", ".txt");

/// The files with tests that depend on changed files.
#[derive(Debug, Default)]
pub(super) struct ChangedTests {
    /// The paths of the others, from the project's directory.
    unchanged: BTreeSet<String>,
    /// The names of the groups of tests that need one another, one of which depends on a changed file.
    groups: BTreeSet<String>,
    /// Whether tests are selected, and none depends on a changed file.
    pub leave_out_all: bool,
    /// The notice for the user.
    pub notice: Option<UserNotice>,
}

impl ChangedTests {
    /// Finds them among the selected tests: all, if nobody asks for changed files.
    pub(super) fn find<'a>(
        changed: Option<ChangedFiles>,
        imports: Option<&ImportGraph>,
        project: &Path,
        selected: impl Iterator<Item = &'a PytestItem>,
    ) -> Result<ChangedTests, PytestError> {
        let Some(changed) = changed else {
            return Ok(ChangedTests::default());
        };
        let imports = imports.ok_or(PytestError::Imports)?;
        let selected: Vec<&PytestItem> = selected.collect();
        let names: BTreeSet<&str> = selected.iter().map(|test| test.file.as_str()).collect();
        let places = names.into_iter().map(|name| {
            let place = real(&project.join(name));
            (name.to_owned(), place)
        });
        let (units, tests) = changed_units(&changed, imports, &places.collect());
        let total = tests.len();
        let unchanged = tests.into_iter().filter(|(_, unit)| !units.contains(*unit));
        let unchanged: BTreeSet<String> = unchanged.map(|(name, _)| name).collect();
        let mut found = ChangedTests {
            groups: needed_groups(&selected, &unchanged),
            unchanged,
            ..ChangedTests::default()
        };
        let tested = selected.iter().filter(|test| found.contains(test));
        let tested: BTreeSet<&str> = tested.map(|test| test.file.as_str()).collect();
        let counts = (tested.len(), total);
        let notice = notice::tested(&changed, &units, notice::TEST_FILES, counts);
        found.leave_out_all = total > 0 && tested.is_empty();
        found.notice = (total > 0).then_some(notice);
        Ok(found)
    }

    /// Returns whether a test depends on changed files, or is needed by one that does.
    pub(super) fn contains(&self, test: &PytestItem) -> bool {
        let mut group = test.group.iter();
        !self.unchanged.contains(&test.file) || group.any(|group| self.groups.contains(&group.name))
    }
}

/// Returns the names of the groups whose tests need one another, with a test in a file that is not
/// among the unchanged ones.
fn needed_groups(selected: &[&PytestItem], unchanged: &BTreeSet<String>) -> BTreeSet<String> {
    let changed = selected
        .iter()
        .filter(|test| !unchanged.contains(&test.file));
    let groups = changed.filter_map(|test| test.group.as_ref());
    let needed = groups.filter(|group| !group.is_chosen);
    needed.map(|group| group.name.clone()).collect()
}

/// Returns the files that depend on changed files, and the unit of each file with tests. Pure.
fn changed_units(
    files: &ChangedFiles,
    graph: &ImportGraph,
    tests: &BTreeMap<String, PathBuf>,
) -> (ChangedUnits, BTreeMap<String, usize>) {
    let mut places: Vec<&Path> = graph.files.keys().map(PathBuf::as_path).collect();
    let read = places.len();
    let others = tests
        .values()
        .filter(|place| !graph.files.contains_key(*place));
    places.extend(others.map(PathBuf::as_path));
    let enumerated = places.iter().enumerate();
    let indices: BTreeMap<&Path, usize> =
        enumerated.map(|(index, place)| (*place, index)).collect();
    let mut units: Vec<ProjectUnit> = places
        .iter()
        .map(|place| {
            let imports = graph.files.get(*place).into_iter().flatten();
            let known = imports.filter_map(|import| indices.get(import.as_path()));
            ProjectUnit {
                dependencies: known.copied().collect(),
                test_dependencies: Vec::new(),
            }
        })
        .collect();
    let is_conftest = |place: &Path| place.file_name().is_some_and(|name| name == CONFTEST);
    let conftests = indices.iter().filter(|(place, _)| is_conftest(place));
    let conftests: Vec<(&Path, usize)> = conftests
        .filter_map(|(place, index)| Some((place.parent()?, *index)))
        .collect();
    let of_tests: BTreeMap<String, usize> = tests
        .iter()
        .filter_map(|(name, place)| Some((name.clone(), *indices.get(place.as_path())?)))
        .collect();
    let of_conftests = || conftests.iter().map(|(_, index)| *index);
    let by_conftests = reached(of_conftests(), &units);
    let imported = reached(of_tests.values().copied().chain(of_conftests()), &units);
    let early = graph.early.iter();
    let early: BTreeSet<usize> = early
        .filter_map(|place| indices.get(place.as_path()).copied())
        .collect();
    let by_a_framework = |index: &usize| match early.contains(index) {
        true => !by_conftests.contains(index),
        false => !imported.contains(index),
    };
    let loaded: Vec<usize> = (0..read).filter(by_a_framework).collect();
    for index in of_tests.values() {
        let (Some(place), Some(unit)) = (places.get(*index), units.get_mut(*index)) else {
            continue;
        };
        unit.test_dependencies = match *index < read {
            true => {
                let around = conftests
                    .iter()
                    .filter(|(around, _)| place.starts_with(around));
                let around = around.map(|(_, conftest)| *conftest);
                around.chain(loaded.iter().copied()).collect()
            }
            false => (0..read).collect(),
        };
    }
    let changed = files.paths.iter().map(PathBuf::as_path);
    let chosen = choose(changed, [], &units, |path| {
        owner(path, &indices, &files.top)
    });
    (chosen, of_tests)
}

/// Returns the units that these import, directly or not, themselves included.
fn reached(starts: impl Iterator<Item = usize>, units: &[ProjectUnit]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<usize> = starts.collect();
    while let Some(index) = next.pop() {
        if reached.insert(index) {
            let unit = units.get(index);
            next.extend(unit.into_iter().flat_map(|unit| &unit.dependencies));
        }
    }
    reached
}

fn owner(path: &Path, indices: &BTreeMap<&Path, usize>, top: &Path) -> FileOwner {
    let below = |directory: &Path| {
        let below = indices
            .iter()
            .filter(|(place, _)| place.starts_with(directory));
        let below: Vec<UnitPart> = below.map(|(_, index)| UnitPart::Whole(*index)).collect();
        (!below.is_empty()).then_some(FileOwner::Units(below))
    };
    if is_shared(path) {
        return FileOwner::Everybody;
    }
    if let Some(units) = below(path) {
        return units;
    }
    if path.extension().is_some_and(|extension| extension == "py") {
        return FileOwner::Nobody;
    }
    let holds = |directory: &&Path| {
        let mut places = indices.keys();
        places.any(|place| place.parent() == Some(directory))
    };
    let around = path.ancestors().skip(1);
    let mut inside = around.take_while(|around| around.starts_with(top));
    let nearest = inside.find(holds);
    nearest.and_then(below).unwrap_or(FileOwner::Nobody)
}

/// Returns whether all tests depend on a file.
fn is_shared(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (start, end) = REQUIREMENTS;
    SHARED.contains(&&*name) || (name.starts_with(start) && name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::super::collection::TestGroup;
    use super::*;
    use crate::changed::plan::WholeReason;

    /// `a` imports `p.x`, which imports `p.y` and the package; `b` imports nothing. A plugin has
    /// loaded `settings`, which imports `urls`, and
    /// `models` before `a` imports it.
    const GRAPH: [(&str, &[&str]); 10] = [
        ("/w/models.py", &[]),
        ("/w/p/__init__.py", &[]),
        ("/w/p/x.py", &["/w/p/__init__.py", "/w/p/y.py"]),
        ("/w/p/y.py", &["/w/p/__init__.py", "/w/p/x.py"]),
        ("/w/settings.py", &["/w/urls.py"]),
        ("/w/urls.py", &[]),
        ("/w/tests/conftest.py", &["/w/tests/help.py"]),
        ("/w/tests/help.py", &["/elsewhere.py"]),
        ("/w/tests/test_a.py", &["/w/p/x.py", "/w/models.py"]),
        ("/w/tests/deep/test_b.py", &[]),
    ];

    fn tested(changed: &str, files: &[&str]) -> String {
        let files_changed = ChangedFiles {
            reference: "main".to_owned(),
            top: "/w".into(),
            paths: changed.split_whitespace().map(PathBuf::from).collect(),
        };
        let graph = ImportGraph {
            files: GRAPH
                .iter()
                .map(|(file, imports)| (file.into(), imports.iter().map(PathBuf::from).collect()))
                .collect(),
            early: ["/w/models.py", "/w/tests/conftest.py", "/w/tests/help.py"]
                .map(PathBuf::from)
                .to_vec(),
        };
        let tests = files.iter();
        let tests = tests.map(|name| ((*name).to_owned(), Path::new("/w/tests").join(name)));
        let (units, tests) = changed_units(&files_changed, &graph, &tests.collect());
        match &units {
            ChangedUnits::All(path, WholeReason::Nobody) => format!("all, by {}", path.display()),
            ChangedUnits::All(path, WholeReason::Everybody) => format!("all: {}", path.display()),
            ChangedUnits::Some(_) => {
                let names = tests.iter().filter(|(_, unit)| units.contains(**unit));
                names
                    .map(|(name, _)| name.as_str())
                    .collect::<Vec<_>>()
                    .join(" ")
            }
        }
    }

    #[test]
    fn tests_that_depend_on_changed_files_run() {
        let files = ["deep/test_b.py", "test_a.py"];
        let all = files.join(" ");
        for (changed, expected) in [
            ("", ""),
            ("/w/p/y.py", "test_a.py"),
            ("/w/p/__init__.py", "test_a.py"),
            ("/w/tests/test_a.py", "test_a.py"),
            ("/w/tests/deep/test_b.py", "deep/test_b.py"),
            ("/w/tests/conftest.py", &all),
            ("/w/tests/help.py", &all),
            // Loaded by no test, and so for any of them.
            ("/w/settings.py", &all),
            ("/w/urls.py", &all),
            ("/w/models.py", &all),
            // Data belongs to the modules around it.
            ("/w/p/data/a.json", "test_a.py"),
            ("/w/tests/deep/golden/b.txt", "deep/test_b.py"),
            ("/w/tests/data.txt", &all),
            ("/w/README.md", &all),
            ("/w/p/new.py", "all, by /w/p/new.py"),
            ("/w/pyproject.toml", "all: /w/pyproject.toml"),
            ("/w/requirements-dev.txt", "all: /w/requirements-dev.txt"),
            // A submodule that changed as a whole.
            ("/w/p", "test_a.py"),
        ] {
            assert_eq!(tested(changed, &files), expected, "{changed}");
        }
    }

    #[test]
    fn tests_that_are_not_pythons_depend_on_all_modules() {
        let files = ["deep/test_b.py", "guide.md", "test_a.py"];
        assert_eq!(tested("/w/p/y.py", &files), "guide.md test_a.py");
        assert_eq!(tested("/w/tests/guide.md", &files), "guide.md");
        assert_eq!(tested("", &files), "");
    }

    #[test]
    fn tests_that_need_one_another_run_together() {
        let item = |file: &str, group: Option<(&str, bool)>| PytestItem {
            node: format!("{file}::test"),
            nth: 0,
            which: String::new(),
            group: group.map(|(name, is_chosen)| TestGroup {
                name: name.to_owned(),
                reason: String::new(),
                whole: false,
                is_chosen,
            }),
            file: file.to_owned(),
            name: "test".to_owned(),
            markers: Vec::new(),
            skip: None,
            testcases: None,
            past: None,
        };
        let tests = [
            item("a.py", Some(("needed", false))),
            item("b.py", Some(("needed", false))),
            item("b.py", None),
            item("c.py", Some(("shared", true))),
            item("d.py", Some(("shared", true))),
        ];
        for (changed, expected) in [
            (&[][..], &[][..]),
            (&["/w/a.py"], &[0, 1]),
            (&["/w/b.py"], &[0, 1, 2]),
            // They only share a process.
            (&["/w/c.py"], &[3]),
        ] {
            let files = ChangedFiles {
                reference: "main".to_owned(),
                top: "/w".into(),
                paths: changed.iter().map(PathBuf::from).collect(),
            };
            let read = ["a", "b", "c", "d"].map(|name| (format!("/w/{name}.py").into(), vec![]));
            let graph = ImportGraph {
                files: read.into_iter().collect(),
                early: Vec::new(),
            };
            let project = Path::new("/w");
            let found = ChangedTests::find(Some(files), Some(&graph), project, tests.iter());
            let found = found.unwrap();
            let tested = tests.iter().enumerate();
            let tested = tested.filter(|(_, test)| found.contains(test));
            let tested: Vec<usize> = tested.map(|(index, _)| index).collect();
            assert_eq!(tested, expected, "{changed:?}");
            assert_eq!(found.leave_out_all, expected.is_empty());
        }
    }
}
