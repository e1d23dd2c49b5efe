//! The names of suites and tests in reports, as the tools call them that a program replaces: the
//! binary ids of nextest, the import paths of Go, the files and classes of pytest.

use maelstrom_model::event::TestInfo;

/// The name of the program whose tests are pytest's.
const PYTEST: &str = "maelstrom-pytest";
/// The name of the program whose tests are cargo's.
pub(super) const CARGO: &str = "cargo-maelstrom";

/// The names of a test in reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReportNames {
    /// The binary, package or file.
    pub suite: String,
    /// The group of tests within the suite; the suite itself, if it has none.
    pub class: String,
    /// The test; for a suite that could not be listed, its title.
    pub name: String,
}

impl ReportNames {
    /// Returns the names of a test of a program.
    pub(super) fn of(program: &str, info: &TestInfo) -> ReportNames {
        let name = match info.name.as_str() {
            "" => &info.title,
            name => name,
        };
        match program {
            CARGO => {
                let suite = RustBinary::of(info).id();
                ReportNames {
                    class: suite.clone(),
                    suite,
                    name: name.to_owned(),
                }
            }
            PYTEST => {
                let suite = &info.artifact;
                let (class, name) = match info.name.as_str() {
                    "" => (suite.clone(), name.to_owned()),
                    name => pytest_names(suite, name),
                };
                ReportNames {
                    suite: suite.clone(),
                    class,
                    name,
                }
            }
            _ => ReportNames {
                suite: info.package.clone(),
                class: info.package.clone(),
                name: name.to_owned(),
            },
        }
    }
}

/// Returns pytest's own class and name for a test of a file: `tests.test_a.TestB` and `test_c[1.5]`
/// for `TestB.test_c[1.5]` of `tests/test_a.py`.
fn pytest_names(file: &str, name: &str) -> (String, String) {
    let module = file.strip_suffix(".py").unwrap_or(file).replace('/', ".");
    // Parameters may contain anything.
    let plain = name.find('[').unwrap_or(name.len());
    let (before, parameters) = name.split_at(plain);
    match before.rsplit_once('.') {
        Some((classes, function)) => (
            format!("{module}.{classes}"),
            format!("{function}{parameters}"),
        ),
        None => (module, name.to_owned()),
    }
}

/// A test binary of cargo, as nextest describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RustBinary {
    pub package: String,
    /// The name of the target.
    pub name: String,
    pub kind: &'static str,
}

impl RustBinary {
    /// Returns the binary of a test, whose artifact is such as `cli(test)`.
    pub(super) fn of(info: &TestInfo) -> RustBinary {
        let artifact = info.artifact.as_str();
        let parts = artifact
            .strip_suffix(')')
            .and_then(|artifact| artifact.rsplit_once('('));
        let (name, kind) = match parts {
            Some((name, "binary")) => (name, "bin"),
            Some((name, "test")) => (name, "test"),
            Some((name, "example")) => (name, "example"),
            Some((name, "benchmark")) => (name, "bench"),
            Some((name, "doctest")) => (name, "doctest"),
            Some((name, _)) => (name, "lib"),
            None if artifact.is_empty() => (info.package.as_str(), "lib"),
            None => (artifact, "lib"),
        };
        RustBinary {
            package: info.package.clone(),
            name: name.to_owned(),
            kind,
        }
    }

    /// Returns nextest's id of the binary.
    pub(super) fn id(&self) -> String {
        let RustBinary {
            package,
            name,
            kind,
        } = self;
        match *kind {
            "lib" => package.clone(),
            "test" => format!("{package}::{name}"),
            kind => format!("{package}::{kind}/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maelstrom_model::event::PreviousOutcome;
    use maelstrom_model::ids::TestId;

    #[test]
    fn tests_are_named_as_their_tools_name_them() {
        for (program, package, artifact, name, expected) in [
            (
                CARGO,
                "my-lib",
                "my_lib(library)",
                "a::b",
                "my-lib | my-lib | a::b",
            ),
            (CARGO, "app", "cli(test)", "x", "app::cli | app::cli | x"),
            (
                CARGO,
                "app",
                "app(binary)",
                "x",
                "app::bin/app | app::bin/app | x",
            ),
            (
                CARGO,
                "app",
                "b(benchmark)",
                "x",
                "app::bench/b | app::bench/b | x",
            ),
            (
                CARGO,
                "app",
                "e(example)",
                "",
                "app::example/e | app::example/e | title",
            ),
            (
                CARGO,
                "app",
                "app(doctest)",
                "x",
                "app::doctest/app | app::doctest/app | x",
            ),
            (CARGO, "app", "", "x", "app | app | x"),
            (
                "maelstrom-go-test",
                "a.org/b",
                "test",
                "TestX",
                "a.org/b | a.org/b | TestX",
            ),
            (
                "maelstrom-run",
                "jobs",
                "job",
                "job 1: true",
                "jobs | jobs | job 1: true",
            ),
            (
                PYTEST,
                "pytest",
                "tests/test_a.py",
                "TestB.test_c[x.y]",
                "tests/test_a.py | tests.test_a.TestB | test_c[x.y]",
            ),
            (
                PYTEST,
                "pytest",
                "test_a.py",
                "test_c",
                "test_a.py | test_a | test_c",
            ),
        ] {
            let info = TestInfo {
                test: TestId(0),
                package: package.to_owned(),
                artifact: artifact.to_owned(),
                name: name.to_owned(),
                title: "title".to_owned(),
                expected_us: None,
                history: PreviousOutcome::New,
                ignored: false,
            };
            let names = ReportNames::of(program, &info);
            let shown = [names.suite, names.class, names.name].join(" | ");
            assert_eq!(shown, expected);
        }
    }
}
